"""A function that knows nothing of firetee."""


def handler(event, context):  # type: ignore[no-untyped-def]
    print("hello from", context.function_name)
    return {"ok": True}
