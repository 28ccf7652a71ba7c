# SPDX-License-Identifier: Apache-2.0
"""What nobody had looked at on a board when this was written, each answered by the steps that bear on it."""
from .verdicts import DOUBTFUL, FAIL, GOOD, PASS, SKIP


def _all(records, *prefixes):
    return [(name, record) for name, record in records.items()
            if any(name == prefix or name.startswith(prefix + "/") for prefix in prefixes)]


def _values(found, key):
    """The different values of a figure, in order."""
    values = []
    for _, record in found:
        value = record.get("figures", {}).get(key)
        if value is not None and value not in values:
            values.append(value)
    return values


def _joined(verdicts):
    if FAIL in verdicts:
        return FAIL
    if DOUBTFUL in verdicts:
        return DOUBTFUL
    return PASS if PASS in verdicts else SKIP


def _answer(found, text):
    """(verdict, answer): what failed, else why it was not looked at, else `text` of those that went well."""
    verdict = _joined([record["verdict"] for _, record in found])
    if verdict == FAIL:
        failed = [(name, record) for name, record in found if record["verdict"] == FAIL]
        return verdict, f"{len(failed)} of {len(found)} failed; {failed[0][0]}: {failed[0][1].get('reason', '')}"
    if verdict == SKIP:
        reasons = [record.get("reason") for _, record in found if record.get("reason")]
        return verdict, reasons[0] if reasons else "not looked at"
    return verdict, text([(name, record) for name, record in found if record["verdict"] in GOOD])


def _counted(found):
    return f"{len(found)} steps"


def _int8(records, backend):
    return [(name, record) for name, record in _all(records, f"build/{backend}", f"accuracy/{backend}")
            if name.endswith("/int8")]


def _layers(found):
    told = [record["figures"]["layers"] for _, record in found if record.get("figures", {}).get("layers")]
    return f"{len(found)} steps; layers: " + ("; ".join(", ".join(f"{count} {name}" for name, count in sorted(layers.items()))
                                                        for layers in told) or "their types are not told")


def _ratios(found):
    return "; ".join(f"{name.split('/', 1)[1]}: {record['figures']['ratio']:.3f} "
                     f"({record['figures']['ratio_ci98'][0]:.3f} to {record['figures']['ratio_ci98'][1]:.3f})"
                     for name, record in found if "ratio" in record.get("figures", {}))


def _comparisons(records, name):
    return [(step, record) for step, record in _all(records, "compare") if step.rsplit("/", 1)[-1].startswith(name)]


def _graphs(found):
    seen = _values(found, "cuda_graph")
    return "captured" if seen == [True] else f"cuda_graph: {', '.join(str(value) for value in seen) or 'not told'}"


def _refresh(found):
    times = [1000 * value for value in _values(found, "refresh_seconds")]
    rails = _values(found, "rails")
    told = f"a new value every {min(times):.1f} to {max(times):.1f} ms" if times else "how often it refreshes was not seen"
    return f"{'; '.join(', '.join(names) for names in rails)}; {told}"


def _parts(found):
    shares = _values(found, "parts_of_whole")
    return f"the parts are {100 * min(shares):.0f} to {100 * max(shares):.0f} % of the whole" if shares else "no parts are told"


def answers(records):
    """[{question, verdict, answer}]"""
    gpu_latencies = _all(records, "latency")
    gpu_latencies = [(name, record) for name, record in gpu_latencies
                     if record["verdict"] not in GOOD or "cuda_graph" in record.get("figures", {})]
    energies = [(name, record) for name, record in _all(records, "energy") if "/decision/" not in name]
    asked = (
        ("Does the tensorrt backend build and run engines in TensorRT itself, and are they right?",
         _all(records, "build/tensorrt", "accuracy/tensorrt"),
         lambda found: f"{_counted(found)}, {', '.join(str(v) for v in _values(found, 'target'))}"),
        ("Does INT8 by Q/DQ come out of TensorRT's builder as INT8, and right?", _int8(records, "tensorrt"), _layers),
        ("Does trtexec run Hedge's plans, and Hedge trtexec's?", _all(records, "trtexec"),
         lambda found: "; ".join(f"{name}: {record['summary']}" for name, record in found)),
        ("Does the cuda backend run on an integrated GPU, and is it right?", _all(records, "build/cuda", "accuracy/cuda"),
         _counted),
        ("Do the unit tests pass on the board?", _all(records, "unit-tests"),
         lambda found: "; ".join(f"{name}: {record['summary']}" for name, record in found)),
        ("Is an inference captured as a CUDA graph?", gpu_latencies, _graphs),
        ("What does no CUDA graph cost (time with it / without)?", _comparisons(records, "graph"), _ratios),
        ("Which memory does `auto` take?", gpu_latencies,
         lambda found: ", ".join(str(value) for value in _values(found, "memory_mode")) or "not told"),
        ("Does managed memory, the original's way too, give the same scores?", _all(records, "same-scores"), _counted),
        ("How does it compare (time of auto / of the mode)?", _comparisons(records, "memory-"), _ratios),
        ("Are power modes set, held and given back?", _all(records, "mode", "restored"),
         lambda found: "; ".join(record["summary"] for _, record in found)),
        ("Is the INA3221 found, and how often does it refresh?", energies, _refresh),
        ("Is the module's rail above the sum of its parts?", energies, _parts),
        ("Does VDD_IN agree with tegrastats at the same time?", _all(records, "tegrastats"),
         lambda found: "; ".join(record["summary"] for _, record in found)),
    )
    told = []
    for question, found, text in asked:
        verdict, answer = _answer(found, text)
        told.append({"question": question, "verdict": verdict, "answer": answer})
    return told
