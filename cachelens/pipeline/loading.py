"""Reading what is to be analyzed. In: names of captures or of one table folder. Out: a Trace."""

from __future__ import annotations

from pathlib import Path

from cachelens.errors import InputError, UsageError
from cachelens.ingest import load as ingest
from cachelens.ingest import store
from cachelens.ingest.formats.detect import is_capture_folder
from cachelens.ingest.source import Source, expand
from cachelens.model.options import IngestOptions
from cachelens.model.progress import Progress, silent
from cachelens.model.trace import Trace
from cachelens.tokens.images import image_tokens
from cachelens.tokens.tokenizer import Tokenizer


def load(arguments: list[str], options: IngestOptions, progress: Progress = silent) -> Trace:
    """Read captures, or one table folder, as a trace.

    Raises InputError for what cannot be read at all, UsageError for options that do not fit.
    """
    sources = expand(arguments, is_capture_folder)
    folders = [source for source in sources if source.path and (source.path / store.MANIFEST).exists()]
    if folders:
        return _stored(sources, options, progress)
    return ingest.load(sources, options, Tokenizer(options.encoding), _image_tokens, progress)


def _image_tokens(provider: str, media_type: str, payload: str, size: int) -> int:
    """The provider's rule, from the dimensions inside the payload; `size` in bytes plays no part in any."""
    return image_tokens(provider, media_type, payload)


def _stored(sources: list[Source], options: IngestOptions, progress: Progress) -> Trace:
    if len(sources) > 1:
        raise UsageError("a table folder is a whole trace and cannot be mixed with other inputs")
    progress("reading tables", 0, None)
    path = sources[0].path
    trace = store.read(path if path is not None else Path(sources[0].name))
    defaults = IngestOptions()
    if options.strict and trace.skipped:
        raise InputError(
            f"{path}: records were skipped when these tables were written",
            "leave --strict out to go on without them",
        )
    if options.input_format is not None:
        raise UsageError("tables have one format only", "leave --input-format out")
    if options.encoding not in (trace.encoding, defaults.encoding):
        raise UsageError(f"these tables are encoded as {trace.encoding}", "ingest the captures again")
    if options.render is not None and options.render != trace.render:
        raise UsageError("the prompt order of tables is fixed", "ingest the captures again with --render")
    return trace
