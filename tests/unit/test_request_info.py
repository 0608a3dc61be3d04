"""What a request requests, whatever its client put into its body."""

import pytest

from services.domain.exchange.body import read_body
from services.domain.usage.request.info import parse_request, parse_request_body
from tests.builders.records import an_event

BOUNDARY = "----WebKitFormBoundary7MA4YWxk"


def model_in_form(form: str, content_type: str = f"multipart/form-data; boundary={BOUNDARY}") -> str:
    body = form.replace("BOUNDARY", BOUNDARY).encode("latin-1")
    return parse_request(an_event().request, parse_request_body(read_body(body, content_type, "", len(body)))).model


PART = "--BOUNDARY\r\nContent-Disposition: form-data; name={}\r\n\r\n{}\r\n"
FILE = '--BOUNDARY\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\nContent-Type: audio/mpeg\r\n\r\n'


@pytest.mark.parametrize(
    ("form", "model"),
    [
        (PART.format('"model"', "whisper-1") + "--BOUNDARY--\r\n", "whisper-1"),
        (PART.format("model", "whisper-1"), "whisper-1"),
        (PART.format('"model"', "whisper-1").replace("\r\n", "\n"), "whisper-1"),
        (PART.format('"language"', "model") + PART.format('"model"', " whisper-1 "), "whisper-1"),
        (FILE + "\x00\xff\r\n\r\nname=model\r\n\r\nnoise\r\n" + PART.format('"model"', "whisper-1"), "whisper-1"),
        (PART.format('"model"', "whisper-1").replace("\r\n\r\n", "\r\nContent-Type: text/plain\r\n\r\n"), "whisper-1"),
        (PART.format('"model"', "whisper-1")[:-6], "whisp"),  # cut by the capture
        (PART.format('"model"', "x" * 600), "x" * 512),
        (PART.format('"models"', "whisper-1"), ""),
        (PART.format('"file"; filename="model"', "whisper-1"), ""),
        (PART.format('"model"', ""), ""),
        ("--BOUNDARY\r\nContent-Disposition: form-data; name=model", ""),
        ("", ""),
    ],
)
def test_a_form_names_its_model_in_a_part_of_that_name(form: str, model: str) -> None:
    assert model_in_form(form) == model


@pytest.mark.parametrize(
    "content_type",
    [
        f'multipart/form-data; charset=utf-8; boundary="{BOUNDARY}"',
        f"Multipart/Form-Data; Boundary={BOUNDARY}; charset=utf-8",
    ],
)
def test_a_forms_parts_are_distinguished_however_the_header_is_spelled(content_type: str) -> None:
    assert model_in_form(PART.format('"model"', "whisper-1"), content_type) == "whisper-1"


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary="])
def test_a_form_without_a_boundary_names_nothing(content_type: str) -> None:
    assert model_in_form(PART.format('"model"', "whisper-1"), content_type) == ""
