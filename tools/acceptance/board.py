# SPDX-License-Identifier: Apache-2.0
"""What the board is: facts that a reader of the report needs, each absent where the system does not tell."""
import glob
import os
import re
import shutil
import subprocess

ROOT = os.environ.get("HEDGE_SYSFS_ROOT") or "/"
PACKAGES = ("nvidia-jetpack", "nvidia-l4t-core", "cuda-toolkit-12-2", "cuda-toolkit-12-6", "libnvinfer8", "libnvinfer10",
            "libnvinfer-dev", "libnvonnxparsers-dev", "libdnnl-dev", "g++", "cmake")
TRTEXEC = "/usr/src/tensorrt/bin/trtexec"
NVCC = "/usr/local/cuda/bin/nvcc"


def read(path):
    """The text of a file below the root, without NUL and blanks at its ends; None where it cannot be read."""
    try:
        with open(os.path.join(ROOT, path.lstrip("/")), errors="replace") as text:
            return text.read().replace("\0", "").strip()
    except OSError:
        return None


def _said(argv, status=(0,)):
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode in status else None


def jetson_linux(text):
    """'# R36 (release), REVISION: 4.3, ...' is Jetson Linux 36.4.3; None of other text."""
    match = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", text or "")
    return f"{match.group(1)}.{match.group(2)}" if match else None


# Jetson Linux that a JetPack brings, newest first: NVIDIA's release notes.
JETPACKS = (("39.", "7"), ("38.", "7"), ("36.4.0", "6.1"), ("36.4.3", "6.2"), ("36.4.", "6.2 or later"), ("36.3.", "6.0"),
            ("36.", "6"), ("35.", "5"), ("32.", "4"))


def jetpack_of(linux):
    return next((name for begin, name in JETPACKS if (linux or "").startswith(begin)), None)


def packages():
    # dpkg-query's status is 1 where it does not know one of them; it lists the others.
    said = _said(["dpkg-query", "-W", "-f=${Package} ${Version} ${Status}\n", *PACKAGES], status=(0, 1))
    found = {}
    for line in (said or "").splitlines():
        words = line.split()
        if len(words) == 5 and words[2:] == ["install", "ok", "installed"]:
            found[words[0]] = words[1]
    return found


def nvcc_version():
    said = _said([shutil.which("nvcc") or NVCC, "--version"])
    match = re.search(r"release ([\d.]+)", said or "")
    return match.group(1) if match else None


def driver():
    """NVIDIA's, as 540.4.0; None where the kernel has none."""
    match = re.search(r"^NVRM version:.*?\s(\d+\.\d+(?:\.\d+)?)\s", read("/proc/driver/nvidia/version") or "", re.M)
    return match.group(1) if match else None


def memory_mb():
    found = {}
    for key, name in (("MemTotal", "memory_mb"), ("SwapTotal", "swap_mb")):
        match = re.search(rf"^{key}:\s+(\d+) kB", read("/proc/meminfo") or "", re.M)
        if match:
            found[name] = int(match.group(1)) // 1024
    return found


def rails():
    """Every channel of an INA3221 in hwmon's layout, as the kernel shows it: for whoever wonders what a meter read."""
    found = []
    for folder in sorted(glob.glob(os.path.join(ROOT, "sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*"))):
        inside = os.path.relpath(folder, ROOT)
        for channel in (1, 2, 3):
            label = read(f"{inside}/in{channel}_label")
            if label is None:
                continue
            entry = {"chip": inside.split("/")[-3], "label": label}
            for key, name in (("millivolts", f"in{channel}_input"), ("milliamperes", f"curr{channel}_input"),
                              ("shunt_micro_ohm", f"shunt{channel}_resistor"), ("update_interval_ms", "update_interval"),
                              ("averaged_samples", "samples")):
                value = read(f"{inside}/{name}")
                if value is not None:
                    entry[key] = int(value) if re.fullmatch(r"-?\d+", value) else value
            found.append(entry)
    return found


def temperatures():
    found = {}
    for folder in sorted(glob.glob(os.path.join(ROOT, "sys/class/thermal/thermal_zone*"))):
        inside = os.path.relpath(folder, ROOT)
        name, value = read(f"{inside}/type"), read(f"{inside}/temp")
        if name and value and re.fullmatch(r"-?\d+", value):
            found[name] = int(value) / 1000
    return found


def facts():
    release = read("/etc/nv_tegra_release")
    linux = jetson_linux(release)
    found = {
        "model": read("/proc/device-tree/model") or read("/sys/firmware/devicetree/base/model"),
        "nv_tegra_release": release.splitlines()[0] if release else None,
        "jetson_linux": linux,
        "jetpack": jetpack_of(linux),
        "kernel": os.uname().release,
        "architecture": os.uname().machine,
        "driver": driver(),
        "nvcc": nvcc_version(),
        "trtexec": shutil.which("trtexec") or (TRTEXEC if os.path.exists(TRTEXEC) else None),
        "packages": packages(),
        "rails": rails(),
        "temperatures_c": temperatures(),
        **memory_mb(),
    }
    return {key: value for key, value in found.items() if value not in (None, {}, [])}
