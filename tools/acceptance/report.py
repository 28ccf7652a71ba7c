# SPDX-License-Identifier: Apache-2.0
"""What is printed, report.json, report.md, and the archive."""
import json
import os
import tarfile
import time

from .questions import answers
from .verdicts import ALL, DOUBTFUL, FAIL, SKIP

SCHEMA = "hedge.acceptance/1"


def announce(number, total, step):
    print(f"[{number:>{len(str(total))}}/{total}] {step.title} ... ", end="", flush=True)


def tell(number, total, step, record, announced=False):
    if not announced:
        announce(number, total, step)
    text = record.get("summary") or record.get("reason") or ""
    if record["verdict"] == DOUBTFUL:
        text += f" (INVALID: {record['reason'].split(';')[0]})"
    print(f"{record['verdict']}: {text} ({record['seconds']:.1f} s)", flush=True)


def counts(records):
    found = {verdict: 0 for verdict in ALL}
    for record in records.values():
        found[record["verdict"]] += 1
    return found


def _write(path, text):
    """Aside, then renamed: a report is whole or the one before."""
    aside = path + ".new"
    with open(aside, "w") as out:
        out.write(text)
    os.replace(aside, path)


def _content(session):
    options = session.options
    return {
        "schema": SCHEMA,
        "time_utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(session.begin)),
        "finished": session.finished,
        "options": {"backends": session.backends, "modes": options.modes, "quick": options.quick, "build": options.build,
                    "data": options.data, "models": [model.name for model in session.models], "only": options.only,
                    "skip": options.skip},
        "fingerprint": session.fingerprint(),
        "counts": counts(session.records),
        "figures": figures(session.records),
        "questions": answers(session.records),
        "steps": list(session.records.values()),
    }


def figures(records):
    """The original's three figures: a row for each power mode, backend, model and precision."""
    rows = {}
    for name, record in records.items():
        words = name.split("/")
        if words[0] == "latency" or (words[0] == "energy" and words[2] != "decision"):
            _, label, backend, model, variant = words
            row = rows.setdefault((label, backend, model, variant), {})
            found = record.get("figures", {})
            if words[0] == "latency":
                row.update({key: found[key] for key in ("mean_us", "p50_us", "p99_us") if key in found})
            else:
                row.update({key: found[key] for key in ("mj_per_inference", "mj_per_inference_net", "mean_watts")
                            if key in found})
            row[f"{words[0]}_verdict"] = record["verdict"]
    told = []
    for (label, backend, model, variant), row in rows.items():
        accuracy = records.get(f"accuracy/{backend}/{model}/{variant}", {})
        found = accuracy.get("figures", {})
        told.append({"mode": label, "backend": backend, "model": model, "precision": variant,
                     **({"top1": found["top1"], "correct": found["correct"], "total": found["total"]} if found else {}),
                     **({"accuracy_verdict": accuracy["verdict"]} if accuracy else {}), **row})
    return told


def _number(row, key, digits=4, factor=1):
    if key not in row:
        return "-"
    return f"{row[key] * factor:.{digits}g}"


def _cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def _table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return lines


def _markdown(content):
    steps = {step["name"]: step for step in content["steps"]}
    found = steps.get("board", {}).get("figures", {})
    facts = found.get("facts", {})
    told = content["counts"]
    lines = [f"# Hedge on {facts.get('model', 'this machine')}", "",
             f"{content['time_utc']}, `tools/jetson-acceptance`" + (" --quick" if content["options"]["quick"] else "") +
             ("" if content["finished"] else ". **Not finished**: call it again to go on."), "",
             "**" + ", ".join(f"{told[verdict]} {verdict}" for verdict in ALL if told[verdict]) + "** of "
             f"{sum(told.values())} steps. `doubtful`: measured, but INVALID by the program's own account "
             "(docs/measuring.md).", "", "## Accuracy, latency, energy", ""]
    lines += _table(["mode", "backend", "model", "precision", "top-1 %", "loop us", "p50 us", "p99 us", "mJ gross", "mJ net",
                     "W", "doubtful or failed"],
                    [[row["mode"], row["backend"], row["model"], row["precision"], _number(row, "top1", 4, 100),
                      _number(row, "mean_us"), _number(row, "p50_us"), _number(row, "p99_us"),
                      _number(row, "mj_per_inference"), _number(row, "mj_per_inference_net"), _number(row, "mean_watts"),
                      ", ".join(f"{key[:-8]} {row[key]}" for key in ("accuracy_verdict", "latency_verdict", "energy_verdict")
                                if row.get(key) in (DOUBTFUL, FAIL))] for row in content["figures"]])
    lines += ["", "## What nobody had looked at on a board", ""]
    lines += _table(["question", "", "answer"], [[entry["question"], entry["verdict"], entry["answer"]]
                                                 for entry in content["questions"]])
    for verdict, title in ((FAIL, "Failed"), (DOUBTFUL, "Doubtful"), (SKIP, "Skipped")):
        reasons = {}
        for step in content["steps"]:
            if step["verdict"] == verdict:
                reasons.setdefault(step.get("reason", ""), []).append(step["name"])
        if reasons:
            lines += ["", f"## {title}", "", *_table(["why", "steps"], [[reason, ", ".join(names)]
                                                                      for reason, names in reasons.items()])]
    lines += ["", "## All steps", ""]
    lines += _table(["step", "", "", "s", "log"], [[step["name"], step["verdict"], step.get("summary", ""),
                                                   f"{step['seconds']:.0f}", step.get("log", "")]
                                                  for step in content["steps"]])
    lines += ["", "## The board", "", "```json", json.dumps(found, indent=1), "```", ""]
    return "\n".join(lines)


def write(session):
    content = _content(session)
    _write(os.path.join(session.options.out, "report.json"), json.dumps(content, indent=1) + "\n")
    _write(os.path.join(session.options.out, "report.md"), _markdown(content))


def pack(session):
    """Report, results and logs; neither engines nor data."""
    out = session.options.out
    path = out + ".tar.gz"
    with tarfile.open(path + ".new", "w:gz") as archive:
        for name in ("report.md", "report.json", "results", "logs"):
            archive.add(os.path.join(out, name), os.path.join(os.path.basename(out), name))
    os.replace(path + ".new", path)
    return path


def conclude(session, archive):
    told = counts(session.records)
    print("\n" + ", ".join(f"{told[verdict]} {verdict}" for verdict in ALL if told[verdict]))
    for record in session.records.values():
        if record["verdict"] == FAIL:
            print(f"  failed: {record['name']}: {record.get('reason', '')}")
    print(f"to read:  {os.path.join(session.options.out, 'report.md')}\nto send:  {archive}")
