import pytest

from daemon.models.aligners import NoAlignModelError, read_catalogue
from tests.kit.alignment_samples import whisperx_alignment


def test_the_tables_are_whisperx_own() -> None:
    whisperx = whisperx_alignment()
    catalogue = read_catalogue()
    assert catalogue.models == {
        **whisperx.DEFAULT_ALIGN_MODELS_HF,
        **whisperx.DEFAULT_ALIGN_MODELS_TORCH,
    }
    assert catalogue.unspaced == set(whisperx.LANGUAGES_WITHOUT_SPACES)


def test_each_language_has_one_model_only() -> None:
    whisperx = whisperx_alignment()
    assert not whisperx.DEFAULT_ALIGN_MODELS_HF.keys() & whisperx.DEFAULT_ALIGN_MODELS_TORCH.keys()


def test_a_language_without_a_model_is_a_lookup_error_that_says_what_to_do() -> None:
    with pytest.raises(NoAlignModelError, match=r"language 'yi'.*align\.model") as caught:
        read_catalogue().model_for("yi")
    assert isinstance(caught.value, LookupError)
