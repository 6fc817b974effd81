"""200 steps of training of each SAE architecture with PyTorch autograd and Adam in float64, on one sequence of batches.

Written from the formulas of the papers and of SAELens 6.18, apart from the kernel: each loss is a function of the
parameters, and autograd takes the gradients. Data and first weights come of a small generator that the test repeats.
The gradients of the first step are central differences of the loss, but for thresholds.
Run: /usr/bin/python3 test/goldens/sae-architectures.py > test/goldens/sae-architectures.json
"""
import json
import math
import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
D, F, B, STEPS, WINDOW, OUT = 8, 24, 32, 200, 15, 6
SEEN = (0, 1, 2, 5, 10, 20, 50, 100, 150, 199)


class Numbers:
    """x ← 1664525 x + 1013904223 mod 2³²; a number is the sum of three of x / 2³², less 1.5."""

    def __init__(self, seed):
        self.x = seed

    def take(self, *shape):
        out = []
        for _ in range(math.prod(shape)):
            total = 0.0
            for _ in range(3):
                self.x = (1664525 * self.x + 1013904223) % 2**32
                total += self.x / 2**32
            out.append(total - 1.5)
        return torch.tensor(out).float().double().reshape(shape)


class Jump(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, theta, width):
        ctx.save_for_backward(z, theta)
        ctx.width = width
        return z * (z > theta)

    @staticmethod
    def backward(ctx, grad):
        z, theta = ctx.saved_tensors
        band = ((z - theta).abs() < ctx.width / 2).double()
        return (z > theta) * grad, (-(theta / ctx.width) * band * grad).sum(0), None


class Heaviside(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, theta, width):
        ctx.save_for_backward(z, theta)
        ctx.width = width
        return (z > theta).double()

    @staticmethod
    def backward(ctx, grad):
        z, theta = ctx.saved_tensors
        band = ((z - theta).abs() < ctx.width / 2).double()
        return None, (-(1 / ctx.width) * band * grad).sum(0), None


squared = lambda error: error.pow(2).sum(-1).mean()


def auxiliary(W_dec, x, x_hat, z, norm, dead, coefficient, absolute=False):
    """Dead features of largest z reconstruct what is left over."""
    if not dead.any():
        return torch.tensor(0.0)
    half, n = x.shape[-1] // 2, int(dead.sum())
    top = torch.where(dead[None], z.abs() if absolute else z, -torch.inf).topk(min(half, n), dim=-1).indices
    acts = torch.zeros_like(z).scatter(-1, top, z.gather(-1, top))
    return coefficient * min(n / half, 1.0) * squared((acts / norm) @ W_dec - (x - x_hat).detach())


def decoder(p, o):
    """Of tied weights the encoder's directions; p["W_dec"] is kept there for the comparison at the end."""
    if not o.get("tied"):
        return p["W_dec"]
    return p["W_enc"].T / p["W_enc"].T.norm(dim=-1, keepdim=True)


def pre(p, x, o):
    return (x - p["b_dec"] if o.get("applyBDecToInput", True) else x) @ p["W_enc"] + p["b_enc"]


def standard(p, x, o, dead, memory):
    f = pre(p, x, o).relu()
    W_dec = decoder(p, o)
    u = f * W_dec.norm(dim=-1)
    if o.get("sparsityPenalty") == "tanh":
        penalty = torch.tanh(o["tanhScale"] * u).sum(-1)
    else:
        penalty = u.norm(p=o.get("lpNorm", 1), dim=-1)
    return squared(f @ W_dec + p["b_dec"] - x) + o["l1Coefficient"] * penalty.mean(), f


def topk(p, x, o, dead, memory):
    W_dec = decoder(p, o)
    norm = W_dec.norm(dim=-1) if o.get("rescaleActsByDecoderNorm", True) else torch.ones(F)
    z = pre(p, x, o) * norm
    order = z.abs() if o.get("absolute") else z.relu()
    top = order.topk(o["k"], dim=-1).indices
    f = torch.zeros_like(z).scatter(-1, top, (z if o.get("absolute") else order).gather(-1, top))
    x_hat = (f / norm) @ W_dec + p["b_dec"]
    return squared(x_hat - x) + auxiliary(W_dec, x, x_hat, z, norm, dead, 1, o.get("absolute")), f


def batchtopk(p, x, o, dead, memory):
    norm = p["W_dec"].norm(dim=-1) if o.get("rescaleActsByDecoderNorm", True) else torch.ones(F)
    z = pre(p, x, o) * norm
    flat = z.relu().flatten()
    top = flat.topk(int(o["k"] * x.shape[0]))
    f = torch.zeros_like(flat).scatter(0, top.indices, top.values).reshape(z.shape)
    with torch.no_grad():
        memory["threshold"] = 0.99 * memory.get("threshold", 0.0) + 0.01 * float(f[f > 0].min())
    g = f / norm
    x_hat = g @ p["W_dec"] + p["b_dec"]
    loss = squared(x_hat - x) + auxiliary(p["W_dec"], x, x_hat, z, norm, dead, o.get("auxLossCoefficient", 1))
    for width in o.get("matryoshkaWidths", []):
        loss = loss + squared(g[:, :width] @ p["W_dec"][:width] + p["b_dec"] - x)
    return loss, f


def jumprelu(p, x, o, dead, memory):
    direct = o.get("jumpreluThreshold") == "direct"
    theta = p["threshold"].relu() if direct else p["threshold"].exp()
    width, z = o["jumpreluBandwidth"], pre(p, x, o)
    norm = p["W_dec"].norm(dim=-1)
    f = Jump.apply(z, theta, width)
    mode = o["jumpreluSparsityLossMode"]
    if mode == "tanh":
        sparsity = torch.tanh(o["jumpreluTanhScale"] * f * norm).sum(-1).mean()
    else:
        sparsity = Heaviside.apply(z, theta, width).sum(-1).mean()
        if mode == "quadratic":
            sparsity = (sparsity / o["l0Target"] - 1) ** 2
    loss = squared(f @ p["W_dec"] + p["b_dec"] - x) + o["l0Coefficient"] * sparsity
    if dead.any():
        loss = loss + o.get("preActLossCoefficient", 0) * ((theta - z).relu() * dead * norm).sum(-1).mean()
    return loss, f


def gated(p, x, o, dead, memory):
    centred = x - p["b_dec"] if o.get("applyBDecToInput", True) else x
    gate = centred @ p["W_enc"] + p["b_enc"]
    f = (gate > 0) * (centred @ (p["W_enc"] * p["r_mag"].exp()) + p["b_mag"]).relu()
    open_ = gate.relu()
    loss = squared(f @ p["W_dec"] + p["b_dec"] - x)
    loss = loss + o["l1Coefficient"] * (open_ * p["W_dec"].norm(dim=-1)).sum(-1).mean()
    return loss + squared(open_ @ p["W_dec"] + p["b_dec"] - x), f


def transcoder(loss_of):
    """The same loss with another activation of the token in the place of x: its decoder is of that width."""
    def loss(p, x, o, dead, memory):
        f = p["threshold"].exp() if "threshold" in p else None
        z = x @ p["W_enc"] + p["b_enc"]
        acts = z.relu() if f is None else Jump.apply(z, f, o["jumpreluBandwidth"])
        y_hat = acts @ p["W_dec"] + p["b_dec"]
        if "W_skip" in p:
            y_hat = y_hat + x @ p["W_skip"].T
        error = squared(y_hat - target_of(x))
        if f is None:
            return error + o["l1Coefficient"] * (acts * p["W_dec"].norm(dim=-1)).sum(-1).mean(), acts
        return error + o["l0Coefficient"] * Heaviside.apply(z, f, o["jumpreluBandwidth"]).sum(-1).mean(), acts
    return loss


def target_of(x):
    return (x[:, :OUT] ** 2 + 0.5 * x[:, 1:OUT + 1]).float().double()


def matching_pursuit(p, x, o, dead, memory):
    """As in the paper and SAELens: autograd goes through the steps, the choice of features has no gradient."""
    left, W = x - p["b_dec"], p["W_dec"]
    f, done, before = torch.zeros(x.shape[0], F), torch.zeros(x.shape[0], dtype=torch.bool), torch.zeros(x.shape[0], F, dtype=torch.bool)
    for _ in range(o.get("maxIterations", D)):
        best = (left @ W.T).detach().argmax(-1)
        value = (left * W[best]).sum(-1).relu() * ~done
        f = f.scatter_add(1, best[:, None], value[:, None])
        left = left - value[:, None] * W[best]
        if o.get("stopOnDuplicateSupport", True):
            done = done | ((f != 0) == before).all(-1)
            before = f != 0
        if o.get("residualThreshold", 0.01) > 0:
            done = done | (left.norm(dim=-1) < o.get("residualThreshold", 0.01))
    return squared(f @ W + p["b_dec"] - x), f


def run(name, architecture, loss_of, extra=None, lr=3e-3, norm=0.5, out=D, **options):
    numbers = Numbers(7)
    W_dec = numbers.take(F, out)
    W_dec = (W_dec * (norm / W_dec.norm(dim=-1, keepdim=True))).float().double()
    W_enc = W_dec
    if out != D:
        W_enc = numbers.take(F, D)
        W_enc = (W_enc * (norm / W_enc.norm(dim=-1, keepdim=True))).float().double()
    p = {"W_enc": W_enc.T.contiguous().clone(), "W_dec": W_dec.clone(), "b_enc": torch.zeros(F), "b_dec": torch.zeros(out)}
    if options.pop("skip", False):
        p["W_skip"] = torch.zeros(out, D)
    p.update({key: torch.full((F,), value).float().double() for key, value in (extra or {}).items()})
    for value in p.values():
        value.requires_grad_()
    # Tied weights leave W_dec out of the loss.
    trained = [value for key, value in p.items() if not (options.get("tied") and key == "W_dec")]
    optimizer = torch.optim.Adam(trained, lr=lr)
    numbers = Numbers(11)
    silent, memory, losses, revived, first = torch.zeros(F), {}, [], 0, None
    for step in range(STEPS):
        x = numbers.take(B, D) + 0.2
        dead = silent > WINDOW if step > WINDOW else torch.zeros(F, dtype=torch.bool)
        revived += int(dead.sum())
        loss, f = loss_of(p, x.float().double(), options, dead, memory)
        optimizer.zero_grad()
        loss.backward()
        if first is None:
            first = {key: short(value.grad) for key, value in p.items() if value.grad is not None}
            differences = lambda key: central(lambda: loss_of(p, x.float().double(), options, dead, {})[0], p[key])
            first.update({key: differences(key) for key in first if key != "threshold"})
        losses.append(float(loss))
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        silent = torch.where((f != 0).any(0), 0, silent + 1)
    options.pop("absolute", None)
    named = lambda key: not (architecture == "matching_pursuit" and key in ("W_enc", "b_enc"))
    return dict(name=name, architecture=architecture, options=options, lr=lr, norm=norm, dOut=out, losses=[losses[s] for s in SEEN], deadSeen=revived,
                l0=float((f != 0).double().sum(-1).mean()), first=first, end={key: short(value.detach()) for key, value in p.items() if named(key) and (key != "W_dec" or not options.get("tied"))}, **memory)


def central(loss, parameter, h=1e-6):
    """The gradient by differences of the loss; thresholds alone have none, their jump being smoothed in autograd."""
    flat, out = parameter.data.view(-1), []
    for i in range(parameter.numel()):
        flat[i] += h
        up = float(loss())
        flat[i] -= 2 * h
        out.append((up - float(loss())) / (2 * h))
        flat[i] += h
    exact = parameter.grad.flatten().tolist()
    assert all(abs(a - b) < 1e-6 * max(1, abs(a)) for a, b in zip(exact, out)), "autograd and differences disagree"
    return [float(f"{v:.8g}") for v in out]


def short(tensor):
    return [float(f"{v:.8g}") for v in tensor.flatten().tolist()]


log = math.log
cases = [
    run("standard", "standard", standard, l1Coefficient=0.1),
    run("standard, L2", "standard", standard, l1Coefficient=0.3, lpNorm=2),
    run("standard, L1.5", "standard", standard, l1Coefficient=0.1, lpNorm=1.5),
    run("standard, tanh", "standard", standard, l1Coefficient=0.05, sparsityPenalty="tanh", tanhScale=4),
    run("standard, tied", "standard", standard, l1Coefficient=0.1, tied=True),
    run("topk", "topk", topk, k=1),
    run("topk, tied", "topk", topk, k=3, tied=True),
    run("abstopk", "abstopk", topk, k=3, absolute=True),
    run("batchtopk", "batchtopk", batchtopk, k=3),
    run("batchtopk without rescaling or b_dec", "batchtopk", batchtopk, k=2, rescaleActsByDecoderNorm=False, applyBDecToInput=False),
    run("matryoshka_batchtopk", "matryoshka_batchtopk", batchtopk, k=3, matryoshkaWidths=[4, 12]),
    run("jumprelu, step", "jumprelu", jumprelu, {"threshold": log(0.1)}, l0Coefficient=0.02, jumpreluBandwidth=0.1,
        jumpreluSparsityLossMode="step", jumpreluInitThreshold=0.1),
    run("jumprelu, tanh and pre-activation loss", "jumprelu", jumprelu, {"threshold": log(0.6)}, l0Coefficient=0.05, jumpreluBandwidth=0.2,
        jumpreluSparsityLossMode="tanh", jumpreluTanhScale=4, jumpreluInitThreshold=0.6, preActLossCoefficient=0.1),
    run("jumprelu, quadratic", "jumprelu", jumprelu, {"threshold": 0.05}, l0Coefficient=1, jumpreluBandwidth=0.1,
        jumpreluSparsityLossMode="quadratic", l0Target=4, jumpreluInitThreshold=0.05, jumpreluThreshold="direct"),
    run("transcoder", "transcoder", transcoder(standard), out=OUT, l1Coefficient=0.1),
    run("skip transcoder", "skip_transcoder", transcoder(standard), out=OUT, skip=True, l1Coefficient=0.1),
    run("jumprelu transcoder", "jumprelu_transcoder", transcoder(jumprelu), {"threshold": log(0.1)}, out=OUT, l0Coefficient=0.02,
        jumpreluBandwidth=0.1, jumpreluInitThreshold=0.1),
    run("jumprelu skip transcoder", "jumprelu_skip_transcoder", transcoder(jumprelu), {"threshold": log(0.1)}, out=OUT, skip=True,
        l0Coefficient=0.02, jumpreluBandwidth=0.1, jumpreluInitThreshold=0.1),
    run("matching pursuit", "matching_pursuit", matching_pursuit, norm=1.0, maxIterations=4),
    run("matching pursuit to a threshold", "matching_pursuit", matching_pursuit, norm=1.0, residualThreshold=0.5),
    run("matching pursuit past duplicates", "matching_pursuit", matching_pursuit, norm=1.0, residualThreshold=0, maxIterations=6,
        stopOnDuplicateSupport=False),
    run("gated", "gated", gated, {"r_mag": 0.0, "b_mag": 0.0}, l1Coefficient=0.1),
]
print(json.dumps(dict(dIn=D, dSae=F, batch=B, steps=STEPS, window=WINDOW, seen=SEEN, cases=cases)))
