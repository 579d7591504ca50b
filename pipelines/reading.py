"""`Reading`: how image files and arrays become images of one shape, and what is done about files that are bad."""

from dataclasses import dataclass

from pipelines.errors import DataError

RESIZES = ("squash", "crop", "pad")
# Height and width that image files get when none is asked for.
DEFAULT_IMAGE_SIZE = 64
_MAX_IMAGE_SIZE = 4096


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a source is read.

    Attributes:
        image_size: Height and width of every image. None keeps the data set's own size, and makes image files
            64x64.
        resize: What becomes of an image of another size, see `pipelines.decode.decode_image`.
        channels: 1 (grey) or 3 (colour). None keeps the data set's own, and reads image files in colour.
        max_bad: Largest share of image files that may be left out because they cannot be read.
        cache_bytes: Memory that decoded image files may take; more goes to a cache folder. None is a quarter of what
            is free.
        seed: Not negative, below 2**64; divides class folders that come without a test split.

    Raises:
        DataError: A field has another value.
    """

    image_size: int | None = None
    resize: str = "squash"
    channels: int | None = None
    max_bad: float = 0.01
    cache_bytes: int | None = None
    seed: int = 0

    def __post_init__(self):
        if self.image_size is not None and not 1 <= self.image_size <= _MAX_IMAGE_SIZE:
            raise DataError(
                f"image_size must lie in 1..{_MAX_IMAGE_SIZE}. Received: {self.image_size}. 32 and 64 are usual."
            )
        if self.resize not in RESIZES:
            raise DataError(f"resize must be one of {', '.join(RESIZES)}. Received: {self.resize!r}. Choose one.")
        if self.channels not in (None, 1, 3):
            raise DataError(f"channels must be 1 (grey) or 3 (colour). Received: {self.channels!r}. Choose one.")
        if not 0 <= self.max_bad <= 1:
            raise DataError(f"max_bad must lie in [0, 1]. Received: {self.max_bad}. 0.01 allows one file in a hundred.")
        if self.cache_bytes is not None and self.cache_bytes < 0:
            raise DataError(f"cache_bytes must be 0 or more. Received: {self.cache_bytes}. Leave it out for a default.")
        if not 0 <= self.seed < 2**64:
            raise DataError(f"The seed must lie in 0..2**64 - 1. Received: {self.seed}. Choose a value in that range.")

    @property
    def file_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) that image files are decoded to."""
        size = self.image_size or DEFAULT_IMAGE_SIZE
        return size, size, self.channels or 3
