"""Tags from a language model on any OpenAI-compatible server, with or without eyes.

::

    task (closed · extract · narrative)        what is asked, and how an answer is read
      → request    instructions (ours), data (theirs: delimited, escaped), schema, pictures
      → batch      answers already in the journal are not asked for again; workers; account
      → client     one request: way of constraining, pace, retries, shortening
      → answer     JSON found, repaired, and let through only as far as the schema allows

Titles, captions and speech come from strangers and may talk to the model. They can't get out
of their delimiters, and whatever the model is talked into, an answer can only choose from the
schema: slugs that were offered, whole numbers from 1 to 10, short plain strings.
"""
