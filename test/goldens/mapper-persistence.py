"""Golden extended persistence by gudhi. Run: /usr/bin/python3 test/goldens/mapper-persistence.py"""
import json
import pathlib
import random

import gudhi

out = []
rng = random.Random(7)
for case in range(24):
    nodes = rng.randint(3, 16)
    # Every third case has ties.
    f = [float(rng.randint(0, 4)) if case % 3 == 0 else round(rng.uniform(-2, 2), 4) for _ in range(nodes)]
    pairs = [(a, b) for a in range(nodes) for b in range(a + 1, nodes)]
    edges = sorted(rng.sample(pairs, min(len(pairs), rng.randint(nodes // 2, 2 * nodes))))
    held = set(edges)
    closed = [
        (a, b, c)
        for a in range(nodes)
        for b in range(a + 1, nodes)
        for c in range(b + 1, nodes)
        if {(a, b), (a, c), (b, c)} <= held
    ]
    triangles = [] if case % 2 else [t for t in closed if rng.random() < 0.7]
    tree = gudhi.SimplexTree()
    for simplex in [(v,) for v in range(nodes)] + edges + triangles:
        tree.insert(list(simplex))
    for v in range(nodes):
        tree.assign_filtration([v], f[v])
    tree.make_filtration_non_decreasing()
    tree.extend_filtration()
    ordinary, relative, plus, minus = tree.extended_persistence()
    # gudhi puts an extended pair among the "plus" when birth <= death; loops on one level are there.
    extended = plus + minus
    out.append(
        {
            "nodes": nodes,
            "f": f,
            "edges": edges,
            "triangles": triangles,
            "down": sorted(p for d, p in ordinary if d == 0),
            "up": sorted(p for d, p in relative if d == 1),
            "components": sorted(p for d, p in extended if d == 0),
            "loops": sorted(p for d, p in extended if d == 1),
        }
    )
pathlib.Path(__file__).with_suffix(".json").write_text(
    json.dumps({"gudhi": gudhi.__version__, "cases": out}) + "\n"
)
print(out[0])
print([(len(o["loops"]), len(o['triangles'])) for o in out])
