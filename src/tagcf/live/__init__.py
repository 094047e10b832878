"""(6) Event stream to interests and moments.

::

    wire       bytes to LiveEvents and back: JSON, msgpack, Arrow; ids to keys
    log        events kept in SQLite, each once; days as Parquet; read again from any offset
    kafka      events from a broker that speaks Kafka's protocol
    interest   what each user likes, at several time scales, up to date within milliseconds
    stream     log and interest together: append, acknowledge, recover
    danmaku    what viewers' comments say: sentiment, emotion, intent
    rooms      segments, highlights, purchase intent, host report
    dynamics   drift of interest, phases of a session, what comes next
    online     outcome models that learn from every batch
    replay     a recorded or simulated stream through the same code
"""
