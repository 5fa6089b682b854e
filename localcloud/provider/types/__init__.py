"""The resource types, a module or package per service; each has `RESOURCES`."""
