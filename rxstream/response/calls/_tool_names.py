"""The name of a tool, and of the namespace that it is in. The API allows no dot in either."""


def full_name(name: str, namespace: object) -> str:
    """The name as people read it: `crm.look`. A tool that a search has found may be in a namespace of its own name."""
    return f"{namespace}.{name}" if isinstance(namespace, str) and namespace not in ("", name) else name


def name_fields(full: str) -> dict[str, str]:
    """The fields of a call of a tool of that full name."""
    namespace, _, name = full.rpartition(".")
    return {"name": name, "namespace": namespace} if namespace and name else {"name": full}
