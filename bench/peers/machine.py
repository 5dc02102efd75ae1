"""What a table of times must say about where it was measured."""

import datetime
import os
import pathlib
import platform
import subprocess


def describe(root, cores, threads):
    info = pathlib.Path("/proc/cpuinfo").read_text()
    fields = dict(
        (name.strip(), value.strip())
        for name, _, value in (line.partition(":") for line in info.split("\n\n")[0].splitlines())
    )
    flags = fields.get("flags", "").split()
    head = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True
    )
    return {
        "processor": fields.get("model name", platform.processor()),
        "family": f"{fields.get('vendor_id')} {fields.get('cpu family')}/{fields.get('model')}",
        "instruction_sets": [f for f in ("avx2", "fma", "avx512f", "amx_tile") if f in flags],
        "hypervisor": "hypervisor" in flags,
        "cores": os.cpu_count(),
        "cores_used": sorted(cores),
        "threads": threads,
        "caches": caches(),
        "kernel": platform.release(),
        "load_at_start": os.getloadavg()[0],
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": head.stdout.strip(),
    }


def caches():
    """{"L1d": "32K", ...} of the first core."""
    found = {}
    for index in sorted(pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (
            (index / name).read_text().strip() for name in ("level", "type", "size")
        )
        if kind != "Instruction":
            found["L" + level + ("d" if kind == "Data" else "")] = size
    return found
