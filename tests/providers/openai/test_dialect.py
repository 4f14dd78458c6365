"""The features of a table: what is true without one, and which tables cannot be read."""

import pytest

from megallm.catalog.compatibility import shipped
from megallm.messages.compatibility import Feature
from megallm.providers.openai.dialect import Dialect, dialect_of, fault_in


@pytest.mark.parametrize("table", ["openai", "azure", "vllm", "llama.cpp", "ollama", "deepseek", "litellm"])
def test_every_table_that_ships_can_be_read(table: str) -> None:
    """No slip of the pen in a feature's name."""
    dialect = dialect_of(shipped(table).features)

    assert dialect.model_dump(include=set(shipped(table).features)) == shipped(table).features


def test_nothing_is_supposed_of_an_unknown_server() -> None:
    """Neither a schema nor a prefill nor thinking."""
    assert dialect_of({}) == Dialect()
    assert (Dialect().structured_outputs, Dialect().prefill, Dialect().thinking_switch) == ("instruct", "", "")


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"surprise": True}, "features.surprise: Extra inputs are not permitted"),
        ({"prefill": "maybe"}, "features.prefill: Input should be '', 'trailing'"),
        ({"stream_usage": 1}, "features.stream_usage: Input should be a valid boolean"),
        ({"max_stop_sequences": -1}, "features.max_stop_sequences: Input should be greater than or equal to 0"),
        ({"max_stop_sequences": True}, "features.max_stop_sequences: Input should be a valid integer"),
        ({"efforts": "low huge"}, "features.efforts: Value error, known are none minimal low"),
        ({"efforts": " "}, "features.efforts: Value error, known are none minimal low"),
        ({"budget_efforts": ""}, "features.budget_efforts: Value error, it must read like"),
        ({"budget_efforts": "low:4096"}, "features.budget_efforts: Value error, it must read like"),
        ({"budget_efforts": "low medium"}, "features.budget_efforts: Value error, it must read like"),
        ({"budget_efforts": "low:many high"}, "features.budget_efforts: Value error, it must read like"),
        ({"budget_efforts": "huge"}, "features.budget_efforts: Value error, it must read like"),
    ],
)
def test_a_feature_that_cannot_be_read_is_named(features: dict[str, Feature], message: str) -> None:
    """The operator wrote it."""
    with pytest.raises(ValueError, match="features") as caught:
        dialect_of(features)

    assert str(caught.value).startswith(message)


def test_what_cannot_be_read_is_found_before_any_call() -> None:
    """Whoever loads the catalogue says on which line it stands."""
    assert fault_in({"prefill": "trailing", "user_id_letters": -1}) == (
        "user_id_letters",
        "Input should be greater than or equal to 0",
    )
    assert fault_in(shipped("vllm").features) is None


def test_a_budget_stands_for_the_first_effort_that_it_does_not_exceed() -> None:
    """Data of the table."""
    efforts = [Dialect().effort_of(budget) for budget in (1024, 4096, 4097, 16_384, 16_385)]

    assert efforts == ["low", "low", "medium", "medium", "high"]
    assert Dialect(budget_efforts="max").effort_of(1) == "max"


def test_the_nearest_effort_is_the_next_higher_one_that_the_server_has() -> None:
    """Its highest where there is no higher."""
    dialect = Dialect(efforts="max low high")

    wanted = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
    assert [dialect.nearest_effort(effort) for effort in wanted] == ["low", "low", "low", "high", "high", "max", "max"]
    assert Dialect(efforts="low medium").nearest_effort("max") == "medium"
