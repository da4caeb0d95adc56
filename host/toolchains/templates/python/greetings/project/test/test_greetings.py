import unittest
from unittest.mock import Mock

from greetings import greeting, say


class Greeting(unittest.TestCase):
    def test_it_thanks_for_the_answer(self):
        ctx = Mock()
        steps = greeting(ctx, "Ada")
        next(steps)
        ctx.call_activity.assert_called_with(say, input="Hello Ada")
        steps.send("Hello Ada")
        ctx.wait_for_external_event.assert_called_once()
        steps.send("hi")
        ctx.call_activity.assert_called_with(say, input='Thank you for "hi"')
        with self.assertRaises(StopIteration) as end:
            steps.send("thanks")
        self.assertEqual(end.exception.value, {"said": "thanks"})


if __name__ == "__main__":
    unittest.main()
