# SPDX-License-Identifier: Apache-2.0
"""hedge power, on fake boards: a tree of /sys, and programs nvpmodel, jetson_clocks and nvidia-smi on PATH."""
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from support import BUILD, ProgramTest

PROGRAM = os.path.join(BUILD, "hedge-power")

CONF = """
# Ids differ between images: 7W is 3 here.
< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_0 /sys/devices/system/cpu/cpu0/online
< PARAM TYPE=CLOCK NAME=CPU_A78_0 >
MAX_FREQ /sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq
MIN_FREQ /sys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq
< PARAM TYPE=CLOCK NAME=GPU >
MAX_FREQ /sys/class/devfreq/17000000.gpu/max_freq
< POWER_MODEL ID=0 NAME=15W >
CPU_A78_0 MIN_FREQ 0
CPU_A78_0 MAX_FREQ 1510400
GPU MAX_FREQ 624750000
< POWER_MODEL ID=3 NAME=7W >
CPU_A78_0 MAX_FREQ 960000
GPU MAX_FREQ 408000000
< POWER_MODEL ID=5 NAME=MAXN >
CPU_A78_0 MAX_FREQ -1
GPU MAX_FREQ 9223372036854775807
EMC MAX_FREQ 18446744073709551615
< PM_CONFIG DEFAULT=0 >
"""

NVPMODEL = r"""#!/bin/sh
# Caps the fake board's clocks, as the mode says.
R=$HEDGE_SYSFS_ROOT
C=$R/sys/devices/system/cpu/cpu0/cpufreq
G=$R/sys/class/devfreq/17000000.gpu
case $1 in
  -q)
    id=$(sed 's/pmode:0*\([0-9]\)/\1/' "$R/var/lib/nvpmodel/status")
    case $id in 0) name=15W ;; 3) name=7W ;; 5) name=MAXN ;; esac
    printf 'NVPM WARN: fan mode is not set!\nNV Power Mode: %s\n%s\n' "$name" "$id" ;;
  -m)
    echo "nvpmodel -m $2" >> "$R/calls"
    if [ -e "$R/nvpmodel_fails" ]; then echo "NVPM ERROR: Failed to set power mode!"; exit 3; fi
    if [ -e "$R/nvpmodel_waits" ]; then : > "$R/nvpmodel_waiting"; sleep 0.5; fi
    if [ -e "$R/nvpmodel_reboots" ]; then
      printf 'NVPM WARN: Reboot required for changing to this power mode: %s\n' "$2"
      printf 'NVPM WARN: DO YOU WANT TO REBOOT NOW? enter YES/yes to confirm:\n'
      read -r answer; echo "$answer" > "$R/answer"; exit 0
    fi
    case $2 in 0) cpu=1510400 gpu=624750000 ;; 3) cpu=960000 gpu=408000000 ;; 5) cpu=1728000 gpu=1020000000 ;; esac
    echo 115200 > "$C/scaling_min_freq"; echo $cpu > "$C/scaling_max_freq"
    echo $cpu > "$C/scaling_cur_freq"
    echo 306000000 > "$G/min_freq"; echo $gpu > "$G/max_freq"
    [ -e "$R/gpu_sticks" ] || echo $gpu > "$G/cur_freq"
    printf 'pmode:%04d\n' "$2" > "$R/var/lib/nvpmodel/status" ;;
esac
"""

JETSON_CLOCKS = r"""#!/bin/sh
R=$HEDGE_SYSFS_ROOT
C=$R/sys/devices/system/cpu/cpu0/cpufreq
G=$R/sys/class/devfreq/17000000.gpu
case $1 in
  --store)
    if [ -e "$2" ]; then echo "File $2 already exists. Can I overwrite it? Y/N:"; exit 1; fi
    echo "jetson_clocks --store" >> "$R/calls"
    for f in "$C/scaling_min_freq" "$C/scaling_max_freq" "$G/min_freq" "$G/max_freq"; do
      echo "$f:$(cat "$f")"; done > "$2" ;;
  --restore)
    echo "jetson_clocks --restore" >> "$R/calls"
    if [ -e "$R/unlock_waits" ]; then rm "$R/unlock_waits"; : > "$R/unlocking"; sleep 0.5; fi
    while IFS=: read -r f v; do echo "$v" > "$f"; done < "$2"; : > "$R/unlocked" ;;
  "")
    echo "jetson_clocks" >> "$R/calls"
    if [ -e "$R/clocks_fail" ]; then echo "Error: no permission"; exit 1; fi
    cat "$C/scaling_max_freq" > "$C/scaling_min_freq"; cat "$C/scaling_max_freq" > "$C/scaling_cur_freq"
    cat "$G/max_freq" > "$G/min_freq"; cat "$G/max_freq" > "$G/cur_freq" ;;
esac
"""

NVIDIA_SMI = r"""#!/bin/sh
R=$HEDGE_SYSFS_ROOT
case $1 in
  --query-gpu*) printf '0, NVIDIA H100, %s, 1980\n1, NVIDIA H100, [N/A], 1980\n' "$(cat "$R/gpu_mhz")" ;;
  *)
    echo "nvidia-smi $*" >> "$R/calls"
    if [ -e "$R/smi_fails" ]; then
      echo "The current user does not have permission to change clocks for GPU 00000000:01:00.0."; exit 4; fi
    case "$*" in *-lgc*) echo 1410 > "$R/gpu_mhz" ;; *-rgc*) echo 345 > "$R/gpu_mhz" ;; esac ;;
esac
"""


class Board:
    """A tree below a temporary folder, and programs."""

    def __init__(self):
        self.root = tempfile.mkdtemp()
        self.programs = os.path.join(self.root, "programs")
        os.makedirs(self.programs)
        os.makedirs(os.path.join(self.root, "run"))
        self.environment = dict(os.environ, HEDGE_SYSFS_ROOT=self.root,
                                PATH=f"{self.programs}:/usr/bin:/bin")
        self.environment.pop("XDG_RUNTIME_DIR", None)

    def write(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def read(self, name):
        with open(os.path.join(self.root, name)) as file:
            return file.read().strip()

    def exists(self, name):
        return os.path.exists(os.path.join(self.root, name))

    def program(self, name, text):
        path = self.write(f"programs/{name}", text)
        os.chmod(path, 0o755)
        return path

    def cpu(self, governor="schedutil", low=115200, high=1510400, top=1728000, number=0):
        folder = f"sys/devices/system/cpu/cpu{number}/cpufreq/"
        for name, value in (("scaling_governor", governor), ("scaling_min_freq", low),
                            ("scaling_max_freq", high), ("scaling_cur_freq", high),
                            ("cpuinfo_min_freq", low), ("cpuinfo_max_freq", top),
                            ("scaling_available_governors", "performance schedutil powersave")):
            self.write(folder + name, f"{value}\n")

    def jetson(self):
        self.cpu()
        for name, value in (("min_freq", 306000000), ("max_freq", 624750000),
                            ("cur_freq", 624750000), ("governor", "nvhost_podgov")):
            self.write(f"sys/class/devfreq/17000000.gpu/{name}", f"{value}\n")
        self.write("etc/nvpmodel.conf", CONF)
        self.write("var/lib/nvpmodel/status", "pmode:0000\n")
        self.program("nvpmodel", NVPMODEL)
        self.program("jetson_clocks", JETSON_CLOCKS)
        self.write("calls", "")
        return self

    def desktop(self):
        self.cpu("powersave", 800000, 4700000, 4700000)
        self.cpu("powersave", 800000, 4700000, 4700000, number=1)
        self.write("sys/devices/system/cpu/intel_pstate/no_turbo", "0\n")
        self.write("calls", "")
        return self

    def settings(self):
        """All that can be set, as it is."""
        found = {}
        for folder in ("sys", "var"):
            for path, _, files in os.walk(os.path.join(self.root, folder)):
                for name in files:
                    if name not in ("scaling_cur_freq", "cur_freq"):
                        full = os.path.join(path, name)
                        found[os.path.relpath(full, self.root)] = self.read(full)
        return found

    def calls(self):
        return [line for line in self.read("calls").splitlines() if line]


CPU0 = "sys/devices/system/cpu/cpu0/cpufreq/"
GPU = "sys/class/devfreq/17000000.gpu/"


def ended(process):
    """Gone, or a zombie that nobody has collected."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


class Power(ProgramTest):
    def setUp(self):
        self.board = Board()

    def tearDown(self):
        if self.board.exists("running") and not ended(self.board.read("running")):
            os.kill(int(self.board.read("running")), signal.SIGKILL)
        shutil.rmtree(self.board.root)

    def power(self, *arguments, status=0, **options):
        done = subprocess.run([PROGRAM, *arguments], env=self.board.environment, text=True,
                              capture_output=True, check=False, **options)
        self.assertEqual(done.returncode, status, done.stderr + done.stdout)
        return done

    def refused(self, *arguments, status=2, words=()):
        done = self.power(*arguments, status=status)
        super().refused(done, *words, status=status)
        return done

    def start(self, *arguments, **options):
        return subprocess.Popen([PROGRAM, *arguments], env=self.board.environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def wait_for(self, name):
        for _ in range(500):
            if self.board.exists(name):
                return
            time.sleep(0.01)
        self.fail(f"{name} did not come")

    # ---- show

    def test_show(self):
        self.board.jetson()
        shown = self.power("show", "--json=" + os.path.join(self.board.root, "show.json")).stdout
        self.assertIn("schedutil, 115.2 to 1510.4 MHz", shown)
        self.assertIn("mode       15W; there are 15W (0), 7W (3) and MAXN (5)", shown)
        self.assertIn("17000000.gpu: 306 to 624.75 MHz", shown)
        result = json.loads(self.board.read("show.json"))
        self.assertEqual(result["schema"], "hedge.power/1")
        self.assertEqual(result["power_mode"], "15W")
        self.assertEqual([m["id"] for m in result["power_modes"]], [0, 3, 5])
        self.assertFalse(result["changed_by_set"])
        self.assertFalse(self.board.exists("run/hedge"), "to look leaves nothing behind")

    def test_nothing_to_set(self):
        for arguments in (["set", "--governor=performance"], ["set", "--turbo=off"],
                          ["run", "--mode=7W", "--", "true"], ["run", "--lock-clocks", "--", "true"],
                          ["set", "--gpu-clocks=1000"], ["compare", "--", "true"]):
            self.refused(*arguments)

    def test_show_says_what_is_absent(self):
        json_file = os.path.join(self.board.root, "show.json")
        shown = self.power("show", f"--json={json_file}")
        lines = shown.stdout.splitlines()
        self.assertEqual(len(lines), 1, shown.stdout)
        self.assertTrue(lines[0].startswith("absent     CPU clocks and governors (no cpufreq"), lines[0])
        self.assertTrue(lines[0].endswith("and power modes (no nvpmodel)"), lines[0])
        self.assertEqual(len(json.loads(self.board.read("show.json"))["absent"]), 3)
        self.board.desktop()
        self.assertIn("absent     GPU clocks (neither devfreq nor nvidia-smi) and power modes (no nvpmodel)\n",
                      self.power("show").stdout)

    # ---- set and restore

    def test_set_and_restore(self):
        self.board.desktop()
        before = self.board.settings()
        done = self.power("set", "--governor=performance", "--turbo=off", "--min-mhz=1200",
                          "--max-mhz=3000.5")
        self.assertIn("hedge power restore", done.stderr)
        for cpu in ("cpu0", "cpu1"):
            folder = f"sys/devices/system/cpu/{cpu}/cpufreq/"
            self.assertEqual(self.board.read(folder + "scaling_governor"), "performance")
            self.assertEqual(self.board.read(folder + "scaling_min_freq"), "1200000")
            self.assertEqual(self.board.read(folder + "scaling_max_freq"), "3000500")
        self.assertEqual(self.board.read("sys/devices/system/cpu/intel_pstate/no_turbo"), "1")
        self.assertIn("brings back", self.power("show").stdout)
        self.power("set", "--governor=powersave")
        restored = self.power("restore")
        self.assertIn("restored CPU governor powersave, the range of the CPU's clock and turbo on",
                      restored.stderr)
        self.assertEqual(self.board.settings(), before)
        self.assertIn("nothing to restore", self.power("restore").stderr)
        self.assertFalse(self.board.exists("run/hedge/power.json"))

    def test_second_set_keeps_what_was_before_the_first(self):
        self.board.jetson()
        before = self.board.settings()
        self.power("set", "--governor=performance")
        self.power("set", "--governor=powersave", "--mode=7W")
        self.power("set", "--mode=MAXN")
        self.power("restore")
        self.assertEqual(self.board.settings(), before)

    def test_values_that_are_not_there(self):
        self.board.desktop()
        before = self.board.settings()
        self.refused("set", "--governor=performnce",
                     words=["did you mean performance?", "performance, schedutil and powersave"])
        self.refused("set", "--max-mhz=5000", words=["800 to 4700 MHz"])
        self.refused("set", "--min-mhz=100", words=["800 to 4700 MHz"])
        self.refused("set", "--min-mhz=2000", "--max-mhz=1000", words=["above"])
        self.refused("set", "--turbo=maybe", words=["on or off"])
        self.refused("set", "--gpu-clocks=2,1", words=["MIN,MAX"])
        self.refused("set", "--gpu=1", words=["--gpu-clocks"])
        self.refused("set", words=["nothing to set"])
        self.refused("restore", "--turbo=on", words=["takes no settings"])
        self.refused("show", "--turbo=on", words=["takes no settings"])
        self.refused("show", "--", "ls", words=["takes no command"])
        self.refused("set", "--turbo=off", "--json=x", words=["--json"])
        self.refused("sett", words=["show, set, restore, run and compare"])
        self.assertEqual(self.board.settings(), before)

    def test_what_does_not_take_is_said(self):
        self.board.desktop()
        # A file that takes everything and keeps nothing.
        path = os.path.join(self.board.root, CPU0, "scaling_governor")
        os.remove(path)
        os.symlink("/dev/null", path)
        done = self.power("set", "--governor=performance")
        self.assertIn("CPU 0: asked for governor performance, it has", done.stderr)

    def test_failure_in_the_middle_restores(self):
        self.board.desktop()
        self.board.program("nvidia-smi", NVIDIA_SMI)
        self.board.write("gpu_mhz", "345\n")
        self.board.write("smi_fails", "")
        before = self.board.settings()
        self.power("set", "--governor=performance", "--gpu-clocks=1410", status=1)
        # The GPU's clocks cannot be set free either, and that stays noted.
        os.remove(os.path.join(self.board.root, "smi_fails"))
        self.assertIn("a previous run was killed", self.power("show").stderr)
        self.assertEqual(self.board.settings(), before)
        self.assertFalse(self.board.exists("run/hedge/power.json"))

    # ---- power modes

    def test_modes_by_name_and_id(self):
        self.board.jetson()
        for mode in ("7W", "7w", "3"):
            self.power("set", f"--mode={mode}")
            self.assertEqual(self.board.read("var/lib/nvpmodel/status"), "pmode:0003")
            self.assertEqual(self.board.read(CPU0 + "scaling_max_freq"), "960000")
            self.power("restore")
            self.assertEqual(self.board.read("var/lib/nvpmodel/status"), "pmode:0000")
        self.power("set", "--mode=MAXN")
        self.power("restore")

    def test_mode_that_it_has_already_is_left_alone(self):
        self.board.jetson()
        self.power("set", "--mode=15W")
        self.assertEqual(self.board.calls(), [])
        self.power("restore")
        self.assertEqual(self.board.calls(), [])

    def test_unknown_modes(self):
        self.board.jetson()
        for mode in ("25W", "1", "-1", "99999999999"):
            self.refused("set", f"--mode={mode}", words=["15W (0), 7W (3) and MAXN (5)"])
        self.assertEqual(self.board.calls(), [])

    def test_range_set_by_hand_comes_back_after_a_mode(self):
        self.board.jetson()
        self.board.write(CPU0 + "scaling_max_freq", "1200000\n")
        self.power("run", "--mode=7W", "--", "true")
        self.assertEqual(self.board.read(CPU0 + "scaling_max_freq"), "1200000")

    def test_gpu_at_the_old_clock(self):
        self.board.jetson()
        self.board.write("gpu_sticks", "")
        done = self.power("set", "--mode=7W")
        self.assertIn("GPU still sits at 624.75 MHz where the mode has at most 408 MHz", done.stderr)

    def test_reboot_is_declined_and_said(self):
        self.board.jetson()
        self.board.write("nvpmodel_reboots", "")
        self.refused("run", "--mode=7W", "--", "touch", os.path.join(self.board.root, "ran"),
                     status=1, words=["needs a reboot", "sudo nvpmodel -m 3"])
        self.assertEqual(self.board.read("answer"), "no")
        self.assertFalse(self.board.exists("ran"))
        self.assertFalse(self.board.exists("run/hedge/power.json"))

    def test_nvpmodel_fails(self):
        self.board.jetson()
        self.board.write("nvpmodel_fails", "")
        before = self.board.settings()
        self.refused("set", "--mode=7W", "--governor=performance", status=1,
                     words=["nvpmodel -m 3", "Failed to set power mode"])
        self.assertEqual(self.board.settings(), before)

    def test_broken_configurations(self):
        self.board.jetson()
        self.board.write("etc/nvpmodel.conf", "< POWER_MODEL ID=0 NAME=15W")
        self.refused("set", "--mode=15W", words=["nvpmodel.conf: line 1", "no '>'"])
        self.board.write("etc/nvpmodel.conf", "# nothing\n")
        self.refused("set", "--mode=15W", words=["no power model"])
        os.remove(os.path.join(self.board.programs, "nvpmodel"))
        self.board.write("etc/nvpmodel.conf", CONF)
        self.refused("set", "--mode=7W", words=["nvpmodel", "PATH"])

    # ---- locked clocks

    def test_lock_follows_the_mode_and_restore_goes_before(self):
        self.board.jetson()
        before = self.board.settings()
        done = self.power("run", "--mode=7W", "--lock-clocks", "--", "cat",
                          os.path.join(self.board.root, CPU0, "scaling_min_freq"))
        self.assertEqual(done.stdout, "960000\n")
        self.assertEqual(self.board.calls(),
                         ["nvpmodel -m 3", "jetson_clocks --store", "jetson_clocks",
                          "jetson_clocks --restore", "nvpmodel -m 0"])
        self.assertEqual(self.board.settings(), before)

    def test_mode_under_a_lock_that_stands(self):
        self.board.jetson()
        before = self.board.settings()
        self.power("set", "--lock-clocks")
        locked = self.board.settings()
        self.assertEqual(locked[CPU0 + "scaling_min_freq"], "1510400")
        done = self.power("run", "--mode=7W", "--", "cat",
                          os.path.join(self.board.root, CPU0, "scaling_min_freq"))
        self.assertEqual(done.stdout, "960000\n", "locked in the new mode, too")
        self.assertEqual(self.board.settings(), locked)
        self.power("set", "--mode=7W")
        self.assertEqual(self.board.read(CPU0 + "scaling_min_freq"), "960000")
        self.power("restore")
        self.assertEqual(self.board.settings(), before)
        self.assertEqual(os.listdir(os.path.join(self.board.root, "run/hedge")), ["power.json.lock"])

    def test_lock_that_fails(self):
        self.board.jetson()
        self.board.write("clocks_fail", "")
        before = self.board.settings()
        self.refused("run", "--lock-clocks", "--", "true", status=1, words=["no permission"])
        self.assertEqual(self.board.settings(), before)

    def test_lock_without_jetson_clocks(self):
        self.board.desktop()
        before = self.board.settings()
        done = self.power("run", "--lock-clocks", "--", "grep", "-h", "",
                          *[os.path.join(self.board.root, "sys/devices/system/cpu", name) for name in
                            ("cpu1/cpufreq/scaling_governor", "cpu1/cpufreq/scaling_min_freq",
                             "intel_pstate/no_turbo")])
        self.assertEqual(done.stdout.split(), ["performance", "4700000", "1"])
        self.assertEqual(self.board.settings(), before)

    def test_gpu_clocks(self):
        self.board.program("nvidia-smi", NVIDIA_SMI)
        self.board.write("gpu_mhz", "345\n")
        self.board.write("calls", "")
        self.power("run", "--gpu-clocks=1410", "--", "true")
        self.power("run", "--gpu-clocks=1200,1500", "--gpu=0", "--", "true")
        self.assertEqual(self.board.calls(), ["nvidia-smi -lgc 1410,1410", "nvidia-smi -rgc",
                                              "nvidia-smi -i 0 -lgc 1200,1500", "nvidia-smi -i 0 -rgc"])
        done = self.power("run", "--gpu-clocks=1800,1980", "--gpu=0", "--", "true")
        self.assertIn("GPU 0 (NVIDIA H100) sits at 1410 MHz", done.stderr)
        self.board.write("smi_fails", "")
        self.refused("run", "--gpu-clocks=1410", "--", "true", status=1,
                     words=["does not have permission"])

    # ---- run

    def test_status_and_output_of_the_command_pass_through(self):
        self.board.jetson()
        before = self.board.settings()
        done = self.power("run", "--governor=performance", "--", "sh", "-c",
                          f"grep -h '' {self.board.root}/{CPU0}scaling_governor; cat; exit 7", status=7,
                          input="typed\n")
        self.assertEqual(done.stdout, "performance\ntyped\n")
        self.assertEqual(self.board.settings(), before)
        self.power("run", "--governor=performance", "--", "sh", "-c", "kill -9 $$", status=137)
        self.assertEqual(self.board.settings(), before)
        quiet = self.power("run", "--quiet", "--governor=performance", "--", "true")
        self.assertEqual(quiet.stderr, "")

    def test_commands_that_cannot_run_change_nothing(self):
        self.board.jetson()
        self.refused("run", "--mode=7W", words=["no command"])
        self.refused("run", "--mode=7W", "--", words=["no command"])
        self.refused("run", "--mode=7W", "--", "no-such-program", words=["no such program"])
        self.refused("run", "--mode=7W", "--", self.board.root, words=["not executable"])
        self.refused("run", "--", "true", words=["nothing to set"])
        self.refused("run", "--mode=7W", "--json=x", "--", "true", words=["give --json to the command"])
        self.board.program("script", "#!/no/such/interpreter\n")
        self.refused("run", "--mode=7W", "--", "script", status=1, words=["cannot be started"])
        self.assertEqual(self.board.read("var/lib/nvpmodel/status"), "pmode:0000")
        self.assertFalse(self.board.exists("run/hedge/power.json"))

    def waiting_command(self):
        """Says that it runs; takes SIGINT until none comes for 0.3 s, and notes who sent each: 0 is the terminal."""
        return self.board.program("waiting", f"""#!{sys.executable}
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
root = os.environ["HEDGE_SYSFS_ROOT"]
open(os.path.join(root, "pid"), "w").write(str(os.getpid()))
os.rename(os.path.join(root, "pid"), os.path.join(root, "running"))
got = signal.sigtimedwait([signal.SIGINT], 60)
with open(os.path.join(root, "senders"), "w") as senders:
    while got:
        print(got.si_pid, file=senders, flush=True)
        got = signal.sigtimedwait([signal.SIGINT], 0.3)
sys.exit(130)
""")

    def test_signal_is_passed_on_and_settings_restored(self):
        self.board.jetson()
        before = self.board.settings()
        process = self.start("run", "--mode=7W", "--lock-clocks", "--", self.waiting_command())
        self.wait_for("running")
        self.assertNotEqual(self.board.settings(), before)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(self.board.read("senders"), str(process.pid))
        self.assertEqual(self.board.settings(), before)

    def test_ctrl_c_of_a_terminal_is_not_passed_on_again(self):
        self.board.jetson()
        before = self.board.settings()
        command = self.waiting_command()
        process, terminal = pty.fork()
        if process == 0:
            os.execve(PROGRAM, [PROGRAM, "run", "--mode=7W", "--", command], self.board.environment)
        try:
            self.wait_for("running")
            for _ in range(8):
                os.write(terminal, b"\x03")
                time.sleep(0.03)
            _, status = os.waitpid(process, 0)
        finally:
            os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(status), 130)
        self.assertEqual(set(self.board.read("senders").split()), {"0"})
        self.assertEqual(self.board.settings(), before)

    def test_term_ends_the_command_and_restores(self):
        self.board.jetson()
        before = self.board.settings()
        process = self.start("run", "--mode=7W", "--", self.waiting_command())
        self.wait_for("running")
        process.terminate()
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM)
        self.assertEqual(self.board.settings(), before)

    # ---- killed

    def kill_a_run(self):
        process = self.start("run", "--mode=7W", "--lock-clocks", "--governor=performance", "--",
                             self.waiting_command())
        self.wait_for("running")
        process.kill()
        process.communicate(timeout=20)
        for _ in range(500):  # The command does not outlive it.
            if ended(self.board.read("running")):
                break
            time.sleep(0.01)
        else:
            self.fail("the command goes on")
        os.remove(os.path.join(self.board.root, "running"))

    def test_next_call_mends_what_a_killed_run_left(self):
        self.board.jetson()
        before = self.board.settings()
        for arguments in (["show"], ["restore"], ["run", "--governor=powersave", "--", "true"]):
            self.kill_a_run()
            self.assertNotEqual(self.board.settings(), before)
            done = self.power(*arguments)
            self.assertIn("a previous run was killed; restored power mode 15W", done.stderr)
            self.assertEqual(self.board.settings(), before)
        self.kill_a_run()
        self.assertIn("was killed", self.power("set", "--governor=powersave").stderr)
        self.power("restore")
        self.assertEqual(self.board.settings(), before)

    def test_killed_over_a_set_that_stands(self):
        self.board.jetson()
        before = self.board.settings()
        self.power("set", "--lock-clocks")
        standing = self.board.settings()
        self.kill_a_run()
        self.power("show")
        self.assertEqual(self.board.settings(), standing)
        self.power("restore")
        self.assertEqual(self.board.settings(), before)

    def test_killed_while_a_lock_that_stands_is_taken_off(self):
        self.board.jetson()
        before = self.board.settings()
        self.power("set", "--lock-clocks")
        standing = self.board.settings()
        for wait in ("unlocking", "unlocked"):  # Before and after jetson_clocks has done it.
            self.board.write("unlock_waits", "")
            process = self.start("run", "--mode=7W", "--", "true")
            self.wait_for(wait)
            process.kill()
            process.communicate(timeout=20)
            self.assertIn("was killed", self.power("show").stderr)
            self.assertEqual(self.board.settings(), standing)
            os.remove(os.path.join(self.board.root, "unlocked"))
        self.power("restore")
        self.assertEqual(self.board.settings(), before)

    def test_killed_while_it_sets(self):
        self.board.jetson()
        before = self.board.settings()
        self.board.write("nvpmodel_waits", "")
        process = self.start("set", "--mode=7W", "--governor=performance")
        self.wait_for("nvpmodel_waiting")
        process.kill()
        process.communicate(timeout=20)
        os.remove(os.path.join(self.board.root, "nvpmodel_waits"))
        # nvpmodel itself goes on to its end, and is waited for.
        self.assertIn("was killed; restored power mode 15W", self.power("show").stderr)
        self.assertEqual(self.board.settings(), before)

    def test_what_cannot_be_mended_stays_noted(self):
        self.board.jetson()
        self.kill_a_run()
        self.board.write("nvpmodel_fails", "")
        self.refused("show", status=1, words=["mend it by hand", "power.json"])
        self.refused("run", "--mode=MAXN", "--", "true", status=1, words=["mend it by hand"])
        os.remove(os.path.join(self.board.root, "nvpmodel_fails"))
        self.assertIn("restored", self.power("show").stderr)

    def test_one_at_a_time(self):
        self.board.jetson()
        process = self.start("run", "--mode=7W", "--", self.waiting_command())
        self.wait_for("running")
        self.refused("set", "--governor=performance", words=["another `hedge power`"])
        shown = self.power("show")
        self.assertIn("is under way", shown.stdout)
        self.assertNotIn("killed", shown.stderr)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)

    # ---- the state file

    def test_state_files_that_cannot_be_trusted(self):
        self.board.jetson()
        self.kill_a_run()
        whole = self.board.read("run/hedge/power.json")
        for text in (whole[:len(whole) // 2], "", "{}", "[]", '{"schema": "hedge.power-state/2"}',
                     whole.replace('"mode_id": 0', '"mode_id": "x"'),
                     whole.replace('"cpu": 0', '"cpu": -1'),
                     whole.replace('"cpu": 0', '"cpu": 1e99')):
            self.board.write("run/hedge/power.json", text)
            for arguments in (["show"], ["restore"], ["run", "--mode=7W", "--", "true"]):
                self.refused(*arguments, words=["power.json", "remove the file"])
        self.board.write("run/hedge/power.json", whole)
        path = os.path.join(self.board.root, "run/hedge/power.json")
        os.chmod(path, 0o666)
        self.refused("show", words=["can be written by other users"])
        os.chmod(path, 0o644)
        self.power("restore")

    def test_state_elsewhere(self):
        self.board.jetson()
        state = os.path.join(self.board.root, "my.json")
        self.power("set", "--governor=performance", f"--state={state}")
        self.assertTrue(os.path.exists(state))
        self.assertIn("nothing to restore", self.power("restore").stderr)
        self.power("restore", f"--state={state}")
        self.assertEqual(self.board.read(CPU0 + "scaling_governor"), "schedutil")
        self.refused("set", "--governor=performance", "--state=/proc/none/my.json", words=["--state"])

    # ---- rights

    @unittest.skipUnless(os.geteuid() == 0, "takes root to become somebody else")
    def test_without_root(self):
        self.board.desktop()
        os.chmod(self.board.root, 0o755)
        runtime = os.path.join(self.board.root, "runtime")
        os.makedirs(runtime)
        os.chown(runtime, 65534, 65534)
        self.board.environment["XDG_RUNTIME_DIR"] = runtime
        nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        done = self.power("set", "--governor=performance", "--max-mhz=2000", status=2, **nobody)
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertIn(f"needs root: `sudo {os.path.realpath(PROGRAM)} set --governor=performance "
                      "--max-mhz=2000`", done.stderr)
        self.power("show", **nobody)
        process = self.start("run", "--governor=performance", "--", self.waiting_command())
        self.wait_for("running")
        process.kill()
        process.communicate(timeout=20)
        self.assertIn("settings still stand: `sudo hedge power restore`",
                      self.power("show", **nobody).stderr)
        self.assertIn("needs root", self.power("restore", status=2, **nobody).stderr)
        self.assertIn("restored", self.power("show").stderr)

    # ---- free against locked

    def measuring_command(self, extra=""):
        """Writes a result as measurements does; twice as fast where the clock is locked."""
        return self.board.program("measuring", f"""#!{sys.executable}
import json, os, sys
root = os.environ["HEDGE_SYSFS_ROOT"]
read = lambda name: open(os.path.join(root, "{CPU0}", name)).read().strip()
open(os.path.join(root, "runs"), "a").write(read("scaling_max_freq") + "\\n")
locked = read("scaling_min_freq") == read("scaling_max_freq")
mean = 100 if locked else 200
{extra}
result = {{"schema": "hedge.result/1", "program": "measurements", "time_utc": "2026-01-01T00:00:00Z",
          "hedge_version": "0", "latency_us": {{"count": 10, "mean": mean, "p50": mean, "mean_ci95": [mean * 0.99, mean * 1.01]}},
          "energy": {{"mj_per_inference": 3 if locked else 2}}}}
path = [a.split("=", 1)[1] for a in sys.argv if a.startswith("--json=")][0]
json.dump(result, open(path, "w"))
print("done", *sys.argv[1:-1])
""")

    def test_compare(self):
        self.board.jetson()
        before = self.board.settings()
        out = os.path.join(self.board.root, "out.json")
        done = self.power("compare", f"--json={out}", "--mode=7W", "--", self.measuring_command(), "a b")
        self.assertIn("locked to free  0.5000 of the time (98 %: 0.4921 to 0.5080): faster", done.stdout)
        self.assertIn("locked to free  1.5000 of the energy\n", done.stdout)
        self.assertEqual(done.stdout.count("done a b\n"), 2)
        self.assertEqual(self.board.settings(), before)
        self.assertEqual(self.board.read("runs").split(), ["960000", "960000"])
        result = json.loads(self.board.read("out.json"))
        self.assertEqual(result["schema"], "hedge.power-comparison/1")
        self.assertEqual(result["time_ratio"], 0.5)
        self.assertEqual(result["energy_ratio"], 1.5)
        self.assertEqual(result["free"]["latency_us"]["mean"], 200)
        self.assertEqual(result["locked"]["latency_us"]["mean"], 100)

    def test_compare_that_fails(self):
        self.board.jetson()
        before = self.board.settings()
        self.power("compare", "--", self.measuring_command("sys.exit(5)"), status=5)
        self.power("compare", "--", self.measuring_command("sys.exit(6) if locked else 0"), status=6)
        self.refused("compare", "--", "true", words=["wrote no result"])
        self.refused("compare", "--", "true", "--json=x", words=["leave that one out"])
        self.refused("compare", "--json=-", "--", "true", words=["name a file"])
        self.assertEqual(self.board.settings(), before)

    def test_compare_under_locked_clocks_is_said(self):
        self.board.jetson()
        self.power("set", "--lock-clocks")
        done = self.power("compare", "--", self.measuring_command())
        self.assertIn("clocks are locked already", done.stderr)
        self.power("restore")


if __name__ == "__main__":
    unittest.main()
