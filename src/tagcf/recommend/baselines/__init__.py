"""What any ranking must beat: popularity, neighbours, co-visitation, EASE, ALS and SASRec."""
