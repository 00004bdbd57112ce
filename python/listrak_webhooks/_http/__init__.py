"""The adapter kit: what every adapter shares, from a request to the outcome of its delivery.

An adapter answers a few questions about its stack (`receiver.Stack`): the setting, the headers, the bounded body, the
responses. Everything between is here, once:

- `receiver`: the pipeline, as a context manager for `with` and for `async with`
- `source`: which secret
- `body`, `wsgi`, `asgi`: the raw body, within its limits and its deadline
- `admission`: the replay guard around the handler
- `rejection`: what is logged about a rejected delivery, and who is notified
"""
