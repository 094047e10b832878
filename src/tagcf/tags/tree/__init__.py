"""The living tag tree: strength shared along it, proposals to change it, and its versions."""
