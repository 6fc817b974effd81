"""Figures of an SAE's evaluation by numpy in float64, and sparse probes, splitting and absorption by scikit-learn.

Definitions: src/kernel/sae/evaluationSums.ts, reconstruction.ts, probing.ts. Written apart from that code.
Run: /usr/bin/python3 test/goldens/sae-evaluation.py > test/goldens/sae-evaluation.json
"""
import json
import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

f32 = lambda a: np.asarray(a, dtype=np.float32).astype(np.float64)
rng = np.random.default_rng(11)


def log_softmax(z):
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def evaluation(V=9, D=5, F=14, K=3, S=8, T=12, PER=3):
    """The hook is the token's embedding, the logits a product with it: a model whose every number is known."""
    E, U = f32(rng.normal(size=(V, D)) + 0.4), f32(rng.normal(size=(D, V)))
    W_dec = f32(rng.normal(size=(F, D)) * 0.4)
    W_enc = f32(W_dec.T * 1.1 + rng.normal(size=(D, F)) * 0.1)
    b_enc, b_dec = f32(rng.normal(size=F) * 0.1 - np.where(np.arange(F) < 2, 50, 0)), f32(rng.normal(size=D) * 0.1)
    ids = rng.integers(0, V, size=(S, T))
    x = E[ids]
    z = (x - b_dec) @ W_enc + b_enc
    kept = np.argsort(-z, axis=-1, kind="stable")[..., :K]
    f = np.zeros_like(z)
    np.put_along_axis(f, kept, np.maximum(np.take_along_axis(z, kept, -1), 0), -1)
    xh = f @ W_dec + b_dec
    flat, hat, fires = x.reshape(-1, D), xh.reshape(-1, D), f.reshape(-1, F) > 0
    sse = ((flat - hat) ** 2).sum(1)
    parts = [slice(s * T, min(S, s + PER) * T) for s in range(0, S, PER)]
    spread = np.concatenate([((flat[p] - flat[p].mean(0)) ** 2).sum(1) for p in parts])
    clean = log_softmax(x @ U)
    mean = flat.mean(0).astype(np.float32).astype(np.float64)
    out = {"tokens": S * T, "l0": fires.sum(1).mean(), "l1": f.sum(-1).mean(), "mseSumPerToken": sse.mean(),
           "explainedVariance": 1 - sse.sum() / ((flat - flat.mean(0)) ** 2).sum(),
           "explainedVariancePerToken": (1 - sse / spread).mean(),
           "oneMinusFvu": 1 - sum(len(flat[p]) * sse[p].sum() / spread[p].sum() for p in parts) / len(flat),
           "cosineSimilarity": ((flat * hat).sum(1) / np.linalg.norm(flat, axis=1) / np.linalg.norm(hat, axis=1)).mean(),
           "dead": int((fires.sum(0) == 0).sum()), "dense": int((fires.mean(0) > 0.1).sum())}
    for name, replaced in (("Clean", x), ("Sae", xh), ("Zero", np.zeros_like(x)), ("Mean", np.broadcast_to(mean, x.shape))):
        q = log_softmax(replaced @ U)
        out["ce" + name] = -np.take_along_axis(q[:, :-1], ids[:, 1:, None], -1).mean()
        if name != "Clean":
            out["kl" + name] = (np.exp(clean) * (clean - q))[:, :-1].sum(-1).mean()
    for end, worst in (("", "Zero"), ("Mean", "Mean")):
        out["ceLossRecovered" + end] = (out["ce" + worst] - out["ceSae"]) / (out["ce" + worst] - out["ceClean"])
        out["klScore" + end] = (out["kl" + worst] - out["klSae"]) / out["kl" + worst]
    return {"V": V, "D": D, "F": F, "k": K, "sequences": S, "context": T, "batchTokens": PER * T,
            "embedding": E.ravel().tolist(), "unembedding": U.ravel().tolist(), "W_enc": W_enc.ravel().tolist(),
            "W_dec": W_dec.ravel().tolist(), "b_enc": b_enc.tolist(), "b_dec": b_dec.tolist(),
            "ids": ids.ravel().tolist(), "density": fires.mean(0).tolist(), "figures": {k: float(v) for k, v in out.items()}}


def fit(x, y):
    return LogisticRegression(C=1, solver="newton-cg", tol=1e-9, max_iter=10000).fit(x, y)


def judge(model, x, y):
    p = model.predict(x)
    tp = int((p & y).sum())
    return {"accuracy": float((p == y).mean()), "f1": 0.0 if tp == 0 else 2 * tp / int(p.sum() + y.sum())}


def probes(N=240, D=6, F=12):
    """A label that two features share, with a third that takes their part on some tokens."""
    direction = rng.normal(size=D)
    direction /= np.linalg.norm(direction)
    y = (np.arange(N) % 2 == 0).astype(int)
    kind = rng.choice(4, size=N, p=[0.55, 0.1, 0.3, 0.05])
    x = f32(rng.normal(size=(N, D)) * 0.7 + np.outer(y * 1.6, direction))
    decoder = f32(rng.normal(size=(F, D)))
    decoder[0], decoder[1], decoder[2] = (f32(direction * 1.1), f32(direction * 0.9 + rng.normal(size=D) * 0.1), f32(direction * 1.5))
    f = np.where(rng.random((N, F)) < 0.15, np.abs(rng.normal(size=(N, F))), 0)
    f[:, :3] *= rng.random((N, 3)) < 0.2
    for i in range(N):
        if y[i]:
            f[i, 0] = 1.5 + rng.random() if kind[i] in (0, 1) else 0
            f[i, 1] = 1.2 + rng.random() if kind[i] == 2 else 0
            f[i, 2] = 1.0 + rng.random() if kind[i] == 3 else 0
    f = f32(f)
    b_dec = f32(rng.normal(size=D) * 0.05)
    train, test = np.arange(0, 160), np.arange(160, N)
    order = np.argsort(-np.abs(f[train][y[train] == 1].mean(0) - f[train][y[train] == 0].mean(0)), kind="stable")
    sparse = [{"k": k, **judge(fit(f[train][:, order[:k]], y[train]), f[test][:, order[:k]], y[test])} for k in (1, 2, 5)]
    split, best = [], 0.0
    for k in range(1, 11):
        f1 = judge(fit(f[train][:, order[:k]], y[train]), f[train][:, order[:k]], y[train])["f1"]
        if k > 1 and f1 - best < 0.03:
            break
        split, best = order[:k].tolist(), f1
    mean, std = x[train].mean(0), x[train].std(0)
    dense = fit((x[train] - mean) / std, y[train])
    w = dense.coef_[0] / std
    w /= np.linalg.norm(w)
    rows = [i for i in test if y[i] == 1 and dense.predict(((x[i] - mean) / std)[None])[0] == 1]
    silent, absorbers = 0, []
    for i in rows:
        if (f[i, split] > 0).any():
            continue
        silent += 1
        part = f[i] * (decoder @ w)
        a = int(part.argmax())
        projection = (x[i] - b_dec) @ w
        if part[a] > 0 and projection > 0 and part[a] >= 0.4 * projection and decoder[a] @ w / np.linalg.norm(decoder[a]) >= 0.025:
            absorbers.append(a)
    model = fit(f[train][:, order[:5]], y[train])
    return {"d": D, "features": F, "x": x.ravel().tolist(), "f": f.ravel().tolist(), "decoder": decoder.ravel().tolist(),
            "b_dec": b_dec.tolist(), "y": y.tolist(), "train": train.tolist(), "test": test.tolist(),
            "ranked": order[:5].tolist(), "sparse": sparse, "split": split,
            "activation": judge(dense, (x[test] - mean) / std, y[test]),
            "coefficients": [*map(float, model.coef_[0]), float(model.intercept_[0])],
            "dense": [*map(float, dense.coef_[0]), float(dense.intercept_[0])],
            "absorption": {"tokens": len(rows), "silent": silent, "absorbed": len(absorbers)}}


print(json.dumps({"versions": {"numpy": np.__version__, "scikit-learn": sklearn.__version__},
                  "evaluation": evaluation(), "probes": probes()}))
