"""What viewers' comments say: sentiment, emotion and intent of every line, zh and en.

::

    normalise   width, case, script, repeats, numbers, emoji
    lexicon     words in groups that say the same (lexicon.toml)
    features    runs of letters, words, runs of concepts: hashed
    linear      what is learned of them from examples.tsv (weights.npz)
    network     one hidden layer on sentence embeddings
    words · meaning · asked     readers: by words, with sentence embeddings, by a language model
    read        the public verb
    fitted      the same features fitted to labels of another platform
    rooms       counts by room and second
"""
