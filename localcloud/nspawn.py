"""How systemd-nspawn is told to be an EC2 instance's hardware: its command line, and what is on the disk before it."""

from localcloud.model import Instance
from localcloud.network import API, API_PORT, BRIDGE

# Without syncs: a machine's disk need not outlive this host's power. The kernel marks such a layer and mounts it no
# second time, as after a crash of the host its content would be unknown; a stopped machine's is known.
MOUNT = """
rm -rf work/work/incompat
mount -t overlay overlay -o lowerdir=image,upperdir=upper,workdir=work,volatile root
exec "$@"
"""
# The network card has the address that the API says from the guest's first instruction on: cloud-init looks itself up
# by it. systemd-nspawn makes one up from the machine's name, and has no option for it. Nobody else can have the IPv6
# address made of it, so that there is no second to wait while the guest looks for one.
INIT = """
ip link set dev host0 address "$1" || exit
echo 0 2>/dev/null >/proc/sys/net/ipv6/conf/host0/dad_transmits
exec /sbin/init
"""
ENDPOINT = f"AWS_ENDPOINT_URL=http://{API}:{API_PORT}"
# What stands for hardware here. User data and cloud-init know nothing of it.
INJECTED = {
    "etc/environment": f"{ENDPOINT}\n",
    "etc/systemd/system.conf.d/50-local-cloud.conf": f"[Manager]\nDefaultEnvironment={ENDPOINT}\n",
    # sudo would drop what the login had, and Ansible's tasks would then ask AWS itself.
    "etc/sudoers.d/50-local-cloud": 'Defaults env_keep += "AWS_ENDPOINT_URL"\n',
}


def nspawn_argv(instance: Instance, name: str) -> list[str]:
    """The command line of a machine, run in its folder: mount options know no quoting, so paths are relative."""
    return [
        *["unshare", "--mount", "--propagation", "slave", "--", "/bin/sh", "-ec", MOUNT, "machine"],
        *["systemd-nspawn", "--quiet", "--directory=root", f"--machine={name}"],
        f"--hostname={instance.private_dns.partition('.')[0]}",
        f"--network-bridge={BRIDGE}",
        # The host need not run systemd, so there is nobody to register with, and the group is the one we are in.
        *["--register=no", "--keep-unit"],
        # With `pipe` the guest would have no /dev/console, and neither its messages nor its host keys would show.
        "--console=read-only",
        *["--resolv-conf=off", "--timezone=off", "--link-journal=no", "--settings=no"],
        "--bind-ro=hypervisor:/sys/hypervisor",
        "--kill-signal=SIGRTMIN+3",
        *["--", "/bin/sh", "-c", INIT, "init", instance.mac],
    ]
