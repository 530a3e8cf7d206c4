"""The figures as tables, or as JSON."""

import json
import os
import platform

from figures import MILLI


def machine():
    model = ""
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "kernel": platform.release()}


def number(value):
    if value == int(value) and value < 1e6:
        return str(int(value))
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def target(figure):
    if not figure.has_target:
        return "", ""
    if figure.most == figure.least:
        text = f"= {number(figure.most)}"
    else:
        text = f"≤ {number(figure.most)}" if figure.most is not None else f"≥ {number(figure.least)}"
    return f"{text} {figure.unit}".strip(), "ok" if figure.reached else "MISSED"


def table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))).rstrip())


def show(series, figures, rounds):
    here = machine()
    print(f"\nMedians of one interleaved run of {rounds} rounds; {here['cpu']}, {here['cores']} cores, Linux {here['kernel']}.\n")
    true, env = series["true"].wall, series["env true"].wall
    aws, awsume = series["aws configure list"].wall, series["awsume"].wall
    rows = [["", "ms", "× true", "× env true", "CPU ms", "AWS CLI ×", "awsume ×"]]
    for one in series.values():
        rows.append([one.name] + [number(value) for value in (one.wall / MILLI, one.wall / true, one.wall / env, one.cpu / MILLI, aws / one.wall, awsume / one.wall)])
    table(rows)
    print("\n“AWS CLI ×” and “awsume ×”: how many times as long those two take.\n")
    rows = [["", "measured", "target", ""]]
    for figure in figures:
        rows.append([figure.name, f"{number(figure.value)} {figure.unit}".strip(), *target(figure)])
    table(rows)
    held = [figure for figure in figures if figure.has_target]
    print(f"\n{sum(figure.reached for figure in held)} of {len(held)} targets are reached.")


def as_json(series, figures, rounds):
    print(json.dumps({
        "machine": machine(), "rounds": rounds,
        "commands": [
            {"name": one.name, "runs": len(one.samples), "wallSeconds": one.wall, "cpuSeconds": one.cpu} for one in series.values()
        ],
        "figures": [
            {"name": one.name, "value": one.value, "unit": one.unit, "most": one.most, "least": one.least,
             "reached": one.reached if one.has_target else None}
            for one in figures
        ],
    }, ensure_ascii=False, indent=2))
