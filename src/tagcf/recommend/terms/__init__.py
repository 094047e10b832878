"""What is added to a model's scores: tags of cold items, segments, the logic graph, reach."""
