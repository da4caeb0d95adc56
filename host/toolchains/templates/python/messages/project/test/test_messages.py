import unittest

import messages


class Messages(unittest.TestCase):
    def test_a_message_has_a_key_of_its_own(self):
        self.assertNotEqual(messages.key("1"), messages.key("2"))


if __name__ == "__main__":
    unittest.main()
