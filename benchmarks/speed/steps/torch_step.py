"""The training step of `GanStep` in PyTorch: the same networks, losses, optimisers, moving average and gradient test.

All forms perform the same numeric work. They differ in how the up-convolution and bfloat16 are written, and in whether
the graph is compiled. All use channels_last and fused Adam.
"""

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from tf_psgan.config import Config

# Triton compiles kernels for GPUs only; importing it in a process with TensorFlow causes a segmentation fault.
if not torch.cuda.is_available():
    sys.modules["triton"] = None  # type: ignore[assignment]

HALO = 2
"""Spare latent cells on each side, as in `tf_psgan.geometry`."""


@dataclasses.dataclass(frozen=True)
class Form:
    """One way to write the step.

    `up` is "transposed" (conv_transpose2d, whose padding crops) or "shuffled" (3x3 to 4 C channels, pixel_shuffle);
    `precision` is "float32", "autocast" or "cast" (weights cast once a step).
    """

    up: str = "transposed"
    precision: str = "float32"
    compiled: bool = False

    @property
    def name(self) -> str:
        """The name for tables."""
        return f"{self.precision}, {self.up}{', compiled' if self.compiled else ''}"


def forms(dtype: str, compiled: bool = True) -> list[Form]:
    """All forms of a compute type, "float32" or "bfloat16"; with the compiled ones if `compiled`."""
    precisions = ("float32",) if dtype == "float32" else ("autocast", "cast")
    ways = [(precision, False) for precision in precisions] + [(precisions[-1], True)] * compiled
    return [Form(up, *way) for way in ways for up in ("transposed", "shuffled")]


def set_threads(threads: int) -> None:
    """Sets the number of threads of PyTorch."""
    torch.set_num_threads(threads)


class TorchStep:
    """Networks, optimisers and moving average; a call performs one step and returns the generator's loss."""

    def __init__(self, config: Config, picture: Any, form: Form, device: str = "cpu") -> None:
        """`picture` is the source of the crops, uint8 [height, width, 3]; `device` is "cpu" or "cuda"."""
        self.config, self.form, self.device = config, form, device
        self.picture = torch.from_numpy(picture).to(device)
        torch.manual_seed(1)
        torch.set_default_device(device)
        model = config.model
        self.g, channels = {}, model.local_channels + (2 if model.quadrature else 1) * model.waves
        for i, filters in enumerate((*model.filters, 3)):
            self.g |= self._up(i, channels, filters, last=i == len(model.filters))
            channels = filters
        self.waves = {"numbers": torch.ones(model.waves, 2)}
        self.d, channels = {}, 3
        for i, filters in enumerate((*model.discriminator_filters, 1)):
            self.d[f"{i}/kernel"] = _normal(filters, channels, 5, 5)
            if 0 < i < len(model.discriminator_filters):
                self.d |= {f"{i}/gamma": torch.ones(filters), f"{i}/beta": torch.zeros(filters)}
            channels = filters
        for group in (self.g, self.waves, self.d):
            for value in group.values():
                value.requires_grad_(True)
        self.average = [value.detach().clone() for value in (*self.g.values(), *self.waves.values())]
        self.adam = self._adam()
        self.steps = 0
        self.gradients: Callable[..., Any] = self._taped
        if form.compiled:  # on a GPU by CUDA graphs, without which each kernel is launched by the host
            self.gradients = torch.compile(self._functional, mode="reduce-overhead" if device == "cuda" else None)

    def __call__(self) -> Any:
        """One step: crops, noise, both losses and gradients, the test of the gradients, both updates, the average.

        On a GPU it returns before the step is done, see `wait`.
        """
        real, z = self._crops(), self._latents()
        g_loss, gradients = self.gradients(self.g, self.waves, self.d, real, z)
        variables = [*self.g.values(), *self.waves.values(), *self.d.values()]
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        weight = 1.0 - min(self.config.training.ema_decay, (1.0 + self.steps) / (10.0 + self.steps))
        self.steps += 1
        if self.device == "cuda":  # the host must not wait for the test: Adam itself skips the update
            self.adam.found_inf = (~torch.isfinite(norm)).float()
            self.adam.grad_scale = None
            self._update(variables, gradients, weight)
            return g_loss.detach()
        if bool(torch.isfinite(norm)):
            self._update(variables, gradients, weight)
        return float(g_loss.detach())

    def wait(self) -> None:
        """Returns when all steps are done."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def _update(self, variables: list[Any], gradients: Any, weight: float) -> None:
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.grad = gradient
        self.adam.step()
        torch._foreach_lerp_(self.average, [v.detach() for v in variables[: len(self.average)]], weight)

    def _taped(self, g: Any, waves: Any, d: Any, real: Any, z: Any) -> tuple[Any, list[Any]]:
        """The gradients from two backward passes that share one forward pass."""
        with torch.autocast(self.device, torch.bfloat16, enabled=self.form.precision == "autocast"):
            fake = self._generator(g, waves, *z)
            real_logits, fake_logits = self._discriminator(d, real), self._discriminator(d, fake)
        d_loss = functional.softplus(-real_logits.float()).mean() + functional.softplus(fake_logits.float()).mean()
        g_loss = functional.softplus(-fake_logits.float()).mean()
        g_gradients = torch.autograd.grad(g_loss, [*g.values(), *waves.values()], retain_graph=True)
        return g_loss.detach(), [*g_gradients, *torch.autograd.grad(d_loss, list(d.values()))]

    def _functional(self, g: Any, waves: Any, d: Any, real: Any, z: Any) -> tuple[Any, list[Any]]:
        """The same in functional form for the compiler, which removes unused results."""
        fake, g_back = torch.func.vjp(lambda g, waves: self._generator(g, waves, *z), g, waves)
        real_logits, real_back = torch.func.vjp(lambda d: self._discriminator(d, real), d)
        fake_logits, fake_back = torch.func.vjp(self._discriminator, d, fake)
        scale = 1.0 / fake_logits.numel()
        fake_score, real_score = torch.sigmoid(fake_logits.float()), torch.sigmoid(real_logits.float())
        dtype = fake_logits.dtype
        by_real = real_back(((real_score - 1.0) * scale).to(dtype))[0]
        by_fake = fake_back((fake_score * scale).to(dtype))[0]
        g_gradients, wave_gradients = g_back(fake_back(((fake_score - 1.0) * scale).to(dtype))[1])
        d_gradients = [by_real[name] + by_fake[name] for name in d]
        g_loss = functional.softplus(-fake_logits.float()).mean()
        return g_loss, [*g_gradients.values(), *wave_gradients.values(), *d_gradients]

    def _generator(self, g: Any, waves: Any, z_local: Any, phase: Any) -> Any:
        x = torch.cat([z_local, _plane_waves(waves["numbers"], phase, z_local.shape[2])], 1)
        x = self._narrow(x.contiguous(memory_format=torch.channels_last))
        last = len(self.config.model.filters)
        for i in range(last + 1):
            kernel = self._narrow(g[f"{i}/kernel"])
            bias = None if i < last else self._narrow(g[f"{i}/bias"])
            if self.form.up == "transposed":
                x = functional.conv_transpose2d(x, kernel, bias, stride=2, padding=4)
            else:
                bias = bias if bias is None else bias.repeat_interleave(4)
                x = functional.pixel_shuffle(functional.conv2d(x, kernel, bias), 2)
            if i < last:
                x = functional.relu(_batch_norm(x, g[f"{i}/gamma"], g[f"{i}/beta"]))
        return torch.tanh(x.float())[:, :, HALO:-HALO, HALO:-HALO]

    def _discriminator(self, d: Any, x: Any) -> Any:
        x = self._narrow(x.contiguous(memory_format=torch.channels_last))
        last = len(self.config.model.discriminator_filters)
        for i in range(last + 1):
            x = functional.conv2d(x, self._narrow(d[f"{i}/kernel"]), stride=2, padding=2)
            if 0 < i < last:
                x = _batch_norm(x, d[f"{i}/gamma"], d[f"{i}/beta"])
            if i < last:
                x = functional.leaky_relu(x, 0.2)
        return x

    def _narrow(self, x: Any) -> Any:
        return x.to(torch.bfloat16) if self.form.precision == "cast" else x

    def _crops(self) -> Any:
        side = self.config.data.crop_cells * 2 ** (len(self.config.model.filters) + 1)
        height, width, _ = self.picture.shape
        batch = (self.config.data.batch_size,)
        tops, lefts = (torch.randint(0, n - side + 1, batch, device="cpu").tolist() for n in (height, width))
        cut = [self.picture[top : top + side, left : left + side] for top, left in zip(tops, lefts, strict=True)]
        return torch.stack(cut).permute(0, 3, 1, 2).float() / 127.5 - 1.0

    def _latents(self) -> tuple[Any, Any]:
        model, cells = self.config.model, self.config.data.crop_cells + 2 * HALO
        z_local = torch.rand(self.config.data.batch_size, model.local_channels, cells, cells) * 2.0 - 1.0
        return z_local, (torch.rand(self.config.data.batch_size, model.waves) * 2.0 - 1.0) * torch.pi

    def _up(self, i: int, channels: int, filters: int, last: bool) -> dict[str, Any]:
        transposed = self.form.up == "transposed"
        kernel = _normal(channels, filters, 6, 6) if transposed else _normal(4 * filters, channels, 3, 3)
        if last:
            return {f"{i}/kernel": kernel, f"{i}/bias": torch.zeros(filters)}
        return {f"{i}/kernel": kernel, f"{i}/gamma": torch.ones(filters), f"{i}/beta": torch.zeros(filters)}

    def _adam(self) -> torch.optim.Adam:
        training = self.config.training
        nets = self.g | {f"d/{name}": value for name, value in self.d.items()}
        kernels = [value for name, value in nets.items() if name.endswith("kernel")]
        vectors = [value for name, value in nets.items() if not name.endswith("kernel")]
        groups = [
            {"params": kernels, "weight_decay": 2.0 * training.l2},
            {"params": vectors},
            {"params": list(self.waves.values()), "lr": training.learning_rate * training.wave_lr_multiplier},
        ]
        return torch.optim.Adam(groups, training.learning_rate, (training.beta_1, 0.999), 1e-7, fused=True)


def _normal(*shape: int) -> Any:
    return (0.02 * torch.randn(*shape)).contiguous(memory_format=torch.channels_last)


def _batch_norm(x: Any, gamma: Any, beta: Any) -> Any:
    return functional.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-5)


def _plane_waves(numbers: Any, phase: Any, cells: int) -> Any:
    """Sine and cosine of each wave: [batch, 2 waves, cells, cells]."""
    at = torch.arange(cells, dtype=torch.float32)
    angle = numbers[:, 0, None, None] * at[:, None] + numbers[:, 1, None, None] * at  # [waves, cells, cells]
    angle = angle + phase[:, :, None, None]
    return torch.cat([torch.sin(angle), torch.cos(angle)], 1)
