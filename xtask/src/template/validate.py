"""Holds the template against AWS's own tools, offline: the SAM transform, and the routes that SAM's local
API would serve. Prints one JSON document: {"transformed": {...}, "routes": ["GET /path", ...]}.

Usage: validate.py TEMPLATE
"""

import json
import logging
import os
import sys

from samcli.lib.providers.api_provider import ApiProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """The roles name none, so none is looked up."""

    def load(self):
        return {}


def main(path):
    with open(path) as file:
        transformed = transform(yaml_parse(file), {}, NoManagedPolicies())
    stacks, remote = SamLocalStackProvider.get_stacks(path)
    assert not remote, f"stacks that are not here: {remote}"
    routes = set()
    for route in ApiProvider(stacks).api.routes:
        routes.update(f"{method} {route.path}" for method in route.methods)
    json.dump({"transformed": transformed, "routes": sorted(routes)}, sys.stdout)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    main(sys.argv[1])
