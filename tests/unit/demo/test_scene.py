"""What the demo's parts agree on."""

import os
from pathlib import Path

import pytest

from gateway.cli.configuration import read_configuration
from gateway.demo.scene import APP, SOURCE, Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Is a scene in a folder whose name TOML and URLs do not like."""
    state = tmp_path / "a \"state\" of #1?&'ünïcode'"
    state.mkdir()
    return Scene(state=state, site_port=8001, public_port=8002, private_port=8003)


def test_configuration_is_valid(scene: Scene) -> None:
    """The configuration that the demo writes passes `sluicegate check`, wherever the folder is."""
    scene.prepare()
    settings = read_configuration(scene.configuration)
    assert str(settings.listen.public) == "127.0.0.1:8002"
    assert str(settings.private.listen) == "127.0.0.1:8003"
    assert settings.store.state == scene.store
    assert settings.tokens.issuer == scene.public_url
    assert [app.name for app in settings.apps] == [APP]
    assert list(settings.sources) == [SOURCE]


def test_way_to_the_legacy_table_can_be_cut_and_restored(scene: Scene) -> None:
    """The gateway's way is a link of its own: taking it away leaves the site's database where it is."""
    scene.prepare()
    scene.database.write_text("rows")
    assert scene.way.read_text() == "rows"
    scene.cut()
    assert not os.path.lexists(scene.way)
    assert scene.database.read_text() == "rows"
    scene.restore()
    assert scene.way.read_text() == "rows"


def test_preparing_again_keeps_everything(scene: Scene) -> None:
    """A second start in the same folder finds the database."""
    scene.prepare()
    scene.database.write_text("rows")
    scene.prepare()
    assert scene.way.read_text() == "rows"


def test_site_is_told_where_its_database_is(scene: Scene) -> None:
    """The site's environment names the folder of its database, nothing of the gateway's."""
    assert scene.site_environ()["SITE_STATE"] == str(scene.database.parent)
