"""One rival on random weights of Whisper's true size. A child of `rivals`.

Every system decodes the same noise; no transcript ends before its tokens are used up. What a
package's `transcribe` does is called, with the model replaced by a random one of its own class.
"""

from __future__ import annotations

import argparse
import importlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from daemon.asr.checkpoint import Dimensions
from daemon.audio import FloatArray, to_int16
from daemon.bench.measurement import Note, System, paired, report
from daemon.bench.rivals import RIVALS

_EOT = 50257
_PROMPT = (50258, 50259, 50360, 50364)  # start of transcript, English, transcribe, timestamps


@dataclass(frozen=True, slots=True)
class Work:
    """Noise to decode, `tokens` in each chunk, `batch` chunks together; 0: as ours chooses."""

    size: Dimensions
    chunks: Sequence[FloatArray]
    tokens: int
    batch: int


Run = Callable[[], Sequence[int]]  # decodes everything; the number of tokens of each piece


def dropscribe(work: Work) -> Run:
    """Our engine, rows as it chooses."""
    from daemon.asr.mlx_backend.attempts import BatchSize  # noqa: PLC0415 - one rival only
    from daemon.bench.random_models import Ours  # noqa: PLC0415

    ours = Ours(work.size)
    rows = work.batch or ours.size.rows
    size = BatchSize(rows, min(rows, ours.size.encoded))
    samples = to_int16(work.chunks[0])  # as the daemon has them on disk

    def run() -> Sequence[int]:
        notes = ours.windows(samples, len(work.chunks), size)
        return [int(notes["tokens"])] * len(work.chunks)

    return run


def mlx_whisper(work: Work) -> Run:
    """Its `decode`, which its `transcribe` calls with one window at a time."""
    module: Any = importlib.import_module("mlx_whisper.whisper")
    decoding: Any = importlib.import_module("mlx_whisper.decoding")
    audio: Any = importlib.import_module("mlx_whisper.audio")
    mx: Any = importlib.import_module("mlx.core")
    model, fp16 = _mlx_model(module, work.size)
    options = decoding.DecodingOptions(language="en", fp16=fp16)

    def run() -> Sequence[int]:
        lengths: list[int] = []
        for at in range(0, len(work.chunks), work.batch):
            parts = map(mx.array, work.chunks[at : at + work.batch])
            padded = [audio.pad_or_trim(part) for part in parts]
            mel = mx.stack([audio.log_mel_spectrogram(part, work.size.n_mels) for part in padded])
            results = model.decode(mel.astype(mx.float16 if fp16 else mx.float32), options)
            lengths += [len(result.tokens) for result in results]
        return lengths

    return run


def vayu_whisper(work: Work) -> Run:
    return _transcriber(
        work, "whisper_mlx", "transcribe", {"temperature": (0.0,), "no_speech_threshold": None}
    )


def lightning_whisper_mlx(work: Work) -> Run:
    limits = ("no_speech_threshold", "compression_ratio_threshold", "logprob_threshold")
    return _transcriber(work, "lightning_whisper_mlx", "transcribe_audio", dict.fromkeys(limits))


def _transcriber(work: Work, package: str, name: str, options: Mapping[str, object]) -> Run:
    """A package that is made like mlx_whisper: `name` transcribes the whole recording."""
    module: Any = importlib.import_module(f"{package}.transcribe")
    model, fp16 = _mlx_model(importlib.import_module(f"{package}.whisper"), work.size)
    module.ModelHolder.get_model = classmethod(lambda *_, **__: model)
    lengths = _counted(importlib.import_module(f"{package}.decoding"))
    samples = np.concatenate(work.chunks)[:-160]  # of whole windows some decode an empty one more

    def run() -> Sequence[int]:
        lengths.clear()
        getattr(module, name)(
            samples,
            path_or_hf_repo="random",
            batch_size=work.batch,
            language="en",
            fp16=fp16,
            condition_on_previous_text=False,
            **options,
        )
        return list(lengths)

    return run


def mlx_whisperx(work: Work) -> Run:
    """The batched transcription of its pipeline."""
    base = "mlx_whisperx.backend.mlx_whisper"
    module: Any = importlib.import_module(f"{base}.transcribe")
    model, fp16 = _mlx_model(importlib.import_module(f"{base}.whisper"), work.size)
    module.ModelHolder.get_model = classmethod(lambda *_, **__: model)
    lengths = _counted(importlib.import_module(f"{base}.decoding"))

    def run() -> Sequence[int]:
        lengths.clear()
        module.transcribe_chunks_batched(
            list(work.chunks),
            path_or_hf_repo="random",
            batch_size=work.batch,
            language="en",
            temperature=0.0,
            fp16=fp16,
        )
        return list(lengths)

    return run


def _mlx_model(module: Any, size: Dimensions) -> tuple[Any, bool]:  # noqa: ANN401 - a peer's module
    """A model of a package's own class with random weights, and whether it is fp16."""
    from daemon.bench.random_models import dtype, never_end  # noqa: PLC0415

    model = module.Whisper(module.ModelDimensions(**asdict(size)), dtype())
    model.set_dtype(dtype())
    never_end(model.decoder, _EOT)
    return model, dtype().size == 2


def _counted(decoding: Any) -> list[int]:  # noqa: ANN401 - a peer's module
    """The number of tokens of every window that the package decodes from now on."""
    lengths: list[int] = []
    decode = decoding.DecodingTask.run

    def counting(task: object, mel: object) -> object:
        results = decode(task, mel)
        lengths.extend(len(result.tokens) for result in results)
        return results

    decoding.DecodingTask.run = counting
    return lengths


def faster_whisper(work: Work) -> Run:
    """Its batched pipeline, greedy, on CTranslate2: fp16 on a GPU, int8 on a CPU."""
    from daemon.asr.ctranslate2_backend.model_writer import write_model  # noqa: PLC0415
    from daemon.bench.random_models import openai_weights  # noqa: PLC0415

    module: Any = importlib.import_module("faster_whisper")
    ctranslate2: Any = importlib.import_module("ctranslate2")
    cuda = ctranslate2.get_cuda_device_count() > 0
    with tempfile.TemporaryDirectory(prefix="dropscribe-bench-") as folder:
        size, stored = replace(work.size, n_text_ctx=448), "float16" if cuda else "int8"
        write_model(size, openai_weights(size), Path(folder), stored)
        model = module.WhisperModel(folder, device="cuda" if cuda else "cpu", local_files_only=True)
    pipeline = module.BatchedInferencePipeline(model)
    lengths: list[int] = []
    generate = pipeline.generate_segment_batched

    def counting(*args: object, **options: object) -> tuple[object, object]:
        encoded, output = generate(*args, **options)
        lengths.extend(len(result["tokens"]) for result in output)
        return encoded, output

    pipeline.generate_segment_batched = counting
    samples = np.concatenate(work.chunks)
    long = len(work.chunks[0]) / 16_000
    clips = [{"start": long * at, "end": long * (at + 1)} for at in range(len(work.chunks))]

    def run() -> Sequence[int]:
        lengths.clear()
        segments, _ = pipeline.transcribe(
            samples,
            language="en",
            batch_size=work.batch,
            beam_size=1,
            temperature=0.0,
            vad_filter=False,
            clip_timestamps=clips,
            suppress_tokens=[-1, _EOT],
            max_new_tokens=2 * work.tokens - len(_PROMPT),  # it takes half of what it is given
        )
        list(segments)
        return list(lengths)

    return run


def transformers(work: Work, *, compiled: bool = False) -> Run:
    """Hugging Face's model and `generate`, SDPA; compiled: with a static cache."""
    torch: Any = importlib.import_module("torch")
    library: Any = importlib.import_module("transformers")
    generation: Any = importlib.import_module("transformers.generation")
    cuda = torch.cuda.is_available()
    device, dtype = ("cuda", torch.float16) if cuda else ("cpu", torch.float32)
    config = _transformers_config(library, work.size)
    with torch.device(device):
        model = library.WhisperForConditionalGeneration(config).to(dtype).eval()
    extract = library.WhisperFeatureExtractor(feature_size=work.size.n_mels)
    options = {"cache_implementation": "static"} if compiled else {}
    prompt = torch.tensor([_PROMPT], device=device)

    def run() -> Sequence[int]:
        for at in range(0, len(work.chunks), work.batch):
            part = list(work.chunks[at : at + work.batch])
            mel = extract(part, sampling_rate=16_000, return_tensors="pt", device=device)
            with torch.inference_mode():
                generation.GenerationMixin.generate(
                    model,
                    input_features=mel["input_features"].to(device, dtype),
                    decoder_input_ids=prompt.repeat(len(part), 1),
                    max_new_tokens=work.tokens,
                    min_new_tokens=work.tokens,
                    do_sample=False,
                    num_beams=1,
                    use_cache=True,
                    eos_token_id=_EOT,
                    pad_token_id=_EOT,
                    **options,
                ).cpu()
        return [work.tokens] * len(work.chunks)

    return run


def _transformers_config(library: Any, size: Dimensions) -> object:  # noqa: ANN401 - a peer
    return library.WhisperConfig(
        vocab_size=size.n_vocab,
        num_mel_bins=size.n_mels,
        encoder_layers=size.n_audio_layer,
        decoder_layers=size.n_text_layer,
        d_model=size.n_text_state,
        encoder_attention_heads=size.n_audio_head,
        decoder_attention_heads=size.n_text_head,
        encoder_ffn_dim=4 * size.n_audio_state,
        decoder_ffn_dim=4 * size.n_text_state,
        attn_implementation="sdpa",
    )


_SYSTEMS: Mapping[str, Callable[[Work], Run]] = {
    "dropscribe": dropscribe,
    "faster-whisper": faster_whisper,
    "transformers": transformers,
    "transformers, compiled": lambda work: transformers(work, compiled=True),
    "mlx_whisper": mlx_whisper,
    "mlx-whisperx": mlx_whisperx,
    "vayu-whisper": vayu_whisper,
    "lightning-whisper-mlx": lightning_whisper_mlx,
}


def main() -> None:
    from daemon.bench.random_models import SIZES, noise  # noqa: PLC0415 - imports MLX

    parser = argparse.ArgumentParser()
    parser.add_argument("system", choices=[rival.name for rival in RIVALS])
    parser.add_argument("--size", choices=SIZES, default="large-v3")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--clip", action="store_true")
    given = parser.parse_args()
    count, seconds, tokens = (1, 10, 34) if given.clip else (24, 30, 100)
    size = replace(SIZES[given.size], n_text_ctx=2 * tokens)
    work = Work(size, [noise(seconds)] * count, tokens, given.batch)
    decode = _SYSTEMS[given.system](work)

    def run() -> Mapping[str, Note]:
        lengths = decode()
        if len(lengths) != count:
            raise SystemExit(f"{len(lengths)} pieces were decoded, not {count}")
        return {"tokens": f"{min(lengths)} – {max(lengths)}"}

    table = f"one 10 s clip, {tokens} tokens" if given.clip else f"24 windows, {tokens} tokens each"
    name = given.system + (f", batch {given.batch}" if given.batch and not given.clip else "")
    report(paired(f"{given.size}: {table}", {name: System(run, count)}, given.rounds))
    os._exit(0)  # no library's shutdown can spoil a result; `report` has flushed it


if __name__ == "__main__":
    main()
