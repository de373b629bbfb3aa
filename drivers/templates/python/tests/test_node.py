"""What the driver makes of answers of the host that are hard to bring about: its functions are replaced."""

import unittest
from unittest.mock import MagicMock, patch

import driver
from componentize_py_types import Err
from wit_world.exports.driver import Config, RemoveOptions, Status, StopOptions
from wit_world.imports import container, types


def failing(kind: type[types.Error]) -> MagicMock:
    """A function of the host that fails about an object."""
    return MagicMock(side_effect=Err(kind(types.ObjectRef(types.ObjectKind.CONTAINER, "an object"))))


class Node(unittest.TestCase):
    def setUp(self) -> None:
        for name in ["Container", "Volume", "clock", "engine"]:
            replaced = patch.object(driver, name)
            replaced.start()
            self.addCleanup(replaced.stop)
        self.found = driver.Container.find.return_value
        self.state = driver.Volume.find.return_value
        self.node = driver.Node.open(Config("node0", "", [], [], [], [], []))

    def test_what_is_gone_between_two_calls_is_gone(self) -> None:
        for name in ["inspect", "stop", "remove"]:
            setattr(self.found, name, failing(types.Error_NotFound))
        self.state.remove = failing(types.Error_NotFound)
        self.assertEqual(self.node.info().status, Status.INACTIVE)
        self.node.stop(StopOptions(force=False, grace=None))
        self.node.remove(RemoveOptions(keep_state=False, keep_daemon=False, force=False))
        self.state.remove.assert_called_once()

    def test_a_volume_that_another_process_makes_is_taken(self) -> None:
        driver.Volume.find.return_value = None
        driver.Volume.create = failing(types.Error_AlreadyExists)
        self.assertIs(self.node.create("image"), driver.Container.create.return_value)

    def test_a_container_that_nobody_starts_is_started(self) -> None:
        self.found.inspect.return_value.status = container.Status.CREATED
        driver.clock.now.side_effect = [0, 0, driver.JOIN_WITHIN]
        self.assertIs(self.node.join(), self.found)
        self.found.start.assert_called_once_with()
        driver.clock.sleep.assert_called_once_with(driver.LOOK_AGAIN)


if __name__ == "__main__":
    unittest.main()
