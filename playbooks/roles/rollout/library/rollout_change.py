#!/usr/bin/python3
"""Says what a node serves and what it is to serve, as a difference. It changes nothing, ever: for check mode."""

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: rollout_change
short_description: Shows what a rollout would change on a node
description: Reports changed, with a difference, when both deployments differ.
options:
  node:
    description: The name of the node.
    type: str
    required: true
  before:
    description: The deployment that it serves.
    type: str
    required: true
  after:
    description: The deployment that it is to serve.
    type: str
    required: true
  about:
    description: What deployments serve, by their ids.
    type: dict
    default: {}
"""


def main() -> None:
    text = {"type": "str", "required": True}
    spec = {"node": text, "before": text, "after": text, "about": {"type": "dict", "default": {}}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    node, about = module.params["node"], module.params["about"]
    before, after = (
        f"{name} {about.get(name, '')}".strip() for name in (module.params["before"], module.params["after"])
    )
    diff = {"before_header": node, "after_header": node, "before": f"{before}\n", "after": f"{after}\n"}
    module.exit_json(changed=module.params["before"] != module.params["after"], diff=diff, msg=f"{before} -> {after}")


if __name__ == "__main__":
    main()
