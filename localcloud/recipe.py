"""What the local image is made of: Debian's packages, and the few files by which Debian's EC2 image differs from them.

It starts from the package list of Debian 12's official AMI as far as a node can notice, so that a node which needs more
fails here as it would there. HAProxy, PostgreSQL and dnsmasq are aboard for the local cloud itself, masked in machines.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from contract import PACKAGES
from ops.run import run

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
SECURITY_MIRROR = "http://security.debian.org/debian-security"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

AMI = [
    "apt-utils", "awscli", "bash-completion", "bind9-host", "ca-certificates", "cloud-init", "curl", "dbus", "gpg",
    "iproute2", "iputils-ping", "less", "libpam-systemd", "locales", "nano", "netbase", "openssh-server", "procps",
    "psmisc", "python3", "python3-yaml", "rsync", "sudo", "systemd", "systemd-resolved", "systemd-sysv", "udev",
    "unattended-upgrades", "vim-tiny", "wget", "zstd",
]  # fmt: skip
LOCAL_CLOUD = ["haproxy", "postgresql-15", "dnsmasq-base"]

# Nothing of the host: no manual pages, no translations. They are a third of the image and of the time it takes.
LEAN = ["/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/info/*", "/usr/share/lintian/*"]
KEPT = ["/usr/share/doc/*/copyright", "/usr/share/locale/locale.alias"]

FILES: Mapping[str, str] = {
    # Debian's EC2 image: the login user, and the one data source. Locales: C.UTF-8 needs no generating.
    "etc/cloud/cloud.cfg.d/01_debian_cloud.cfg": """\
manage_etc_hosts: true
locale: false
system_info:
  default_user:
    name: admin
    sudo: ALL=(ALL) NOPASSWD:ALL
    shell: /bin/bash
    lock_passwd: True
    gecos: Debian
    groups: [adm, audio, cdrom, dialout, dip, floppy, netdev, plugdev, sudo, video]
""",
    "etc/cloud/cloud.cfg.d/90_dpkg.cfg": "datasource_list: [ Ec2, None ]\n",
    # cloud-init looks for EC2 under a name of one label, before there is a resolver: multicast would search for it 5 s.
    "etc/systemd/resolved.conf.d/50-local-cloud.conf": "[Resolve]\nLLMNR=no\nMulticastDNS=no\n",
    "etc/default/locale": "LANG=C.UTF-8\n",
    "etc/fstab": "",
    "etc/machine-id": "",
    # nspawn would leave its own name here, and the package its maker's.
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
}
LINKS: Mapping[str, str] = {"etc/resolv.conf": "../run/systemd/resolve/stub-resolv.conf"}
REMOVED = ["etc/hostname", "etc/ssh/ssh_host_*", "etc/postgresql/15", "var/lib/postgresql/15", "var/cache/apt/*.bin"]
REMOVED += ["var/lib/rabbitmq/.erlang.cookie", "var/lib/rabbitmq/mnesia"]
ENABLED = ["systemd-networkd", "systemd-networkd-wait-online", "systemd-resolved", "ssh"]
DISABLED = ["nginx", "rabbitmq-server", "epmd.service", "epmd.socket"]
# No hardware, no boot loader, no consoles to log in at; time is the host's.
MASKED = [
    "haproxy.service", "postgresql.service", "console-getty.service", "getty@tty1.service", "getty-static.service",
    "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "systemd-timesyncd.service",
    "systemd-pstore.service", "dpkg-db-backup.timer", "cloud-init-hotplugd.socket", "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount", "dev-mqueue.mount",
]  # fmt: skip


def packages() -> list[str]:
    return sorted({*AMI, *LOCAL_CLOUD, *(package for role in vars(PACKAGES).values() for package in role)})


def digest() -> str:
    """Of everything that decides the image but the time of its making: another recipe is another image."""
    parts = [SUITE, packages(), LEAN, KEPT, FILES, LINKS, REMOVED, ENABLED, DISABLED, MASKED]
    certificates = hashlib.sha256(CERTIFICATES.read_bytes()).hexdigest() if CERTIFICATES.exists() else ""
    text = json.dumps([*parts, certificates, *sources()])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def sources() -> list[str]:
    """The apt sources. `SLIPWAY_DEBIAN_MIRROR` replaces Debian's own servers, the one for security updates too."""
    mirror = os.environ.get("SLIPWAY_DEBIAN_MIRROR", "").rstrip("/")
    security = f"{mirror}-security" if mirror else SECURITY_MIRROR
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    return [
        f"deb {signed}{mirror or MIRROR} {SUITE} main",
        f"deb {signed}{mirror or MIRROR} {SUITE}-updates main",
        f"deb {signed}{security} {SUITE}-security main",
    ]


def apt_options() -> list[str]:
    """How this host's apt reaches the network (proxies, retries, time-outs), which mmdebstrap would not look at."""
    wanted = ("Acquire::http", "Acquire::https", "Acquire::Retries", "Acquire::Check-")
    dumped = run(["apt-config", "dump", "--no-empty"], check=False).stdout.splitlines()
    return [line for line in dumped if line.startswith(wanted)]


def build_argv(files: Path, root: Path) -> list[str]:
    """mmdebstrap's command line. `files` holds `FILES` and the host's certificates as they are to lie in the root."""
    units = f"""
        systemctl --root "$1" --quiet disable {" ".join(DISABLED)}
        systemctl --root "$1" --quiet mask {" ".join(MASKED)}
        systemctl --root "$1" --quiet enable {" ".join(ENABLED)}
    """
    clean = " ".join(f'"$1"/{path}' for path in REMOVED)
    links = "\n".join(f'ln -snf {target} "$1"/{link}' for link, target in LINKS.items())
    return [
        *["mmdebstrap", "--variant=minbase", "--mode=root", f"--include={','.join(packages())}"],
        *[f"--aptopt={option}" for option in apt_options()],
        *[f"--dpkgopt=path-exclude={path}" for path in LEAN],
        *[f"--dpkgopt=path-include={path}" for path in KEPT],
        f"--customize-hook={units}",
        f"--customize-hook=rm -rf {clean}",
        f'--customize-hook=cp -R --no-preserve=ownership {files}/. "$1"/',
        f"--customize-hook={links}",
        *[SUITE, str(root), *sources()],
    ]
