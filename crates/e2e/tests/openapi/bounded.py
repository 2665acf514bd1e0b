"""Leaves out what the document says in words alone."""

import schemathesis


@schemathesis.hook
def filter_case(context, case):
    query = case.query or {}
    return not is_endless(query) and not is_beyond(query)


def is_endless(query):
    """A log that is followed goes on until paddock stops."""
    return is_true(query.get("follow"))


def is_beyond(query):
    """Of the requests in flight the oldest 200 are listed."""
    limit = str(query.get("limit"))
    return is_true(query.get("in_flight")) and limit.isdecimal() and int(limit) > 200


def is_true(value):
    return value is True or value == "true"
