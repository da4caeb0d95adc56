import unittest
from unittest.mock import patch

import visits
from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc._response import StateResponse


class Visits(unittest.TestCase):
    def test_a_visitor_who_was_too_late_counts_again(self):
        found = [StateResponse(b"1", "a"), StateResponse(b"2", "b")]
        with patch.object(visits.DaprClient, "get_state", side_effect=found), patch.object(
            visits.DaprClient, "save_state", side_effect=[DaprGrpcError("conflict", "stale"), None]
        ) as save:
            self.assertEqual(visits.count(), 3)
        self.assertEqual([call.kwargs["etag"] for call in save.call_args_list], ["a", "b"])


if __name__ == "__main__":
    unittest.main()
