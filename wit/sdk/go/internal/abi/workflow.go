//go:build wasip1

package abi

// What the interfaces of berth:workflow share.
type (
	// Payload is bytes of an application.
	Payload struct {
		_           Layout
		Data        List
		ContentType Option[Text]
	}
	// WorkflowFailure is why an activity, a child or a workflow failed.
	WorkflowFailure struct {
		_             Layout
		Kind, Message Text
		NonRetryable  bool
	}
)

// JSON lowers a text in JSON.
func (c *Call) JSON(text []byte) Payload {
	return Payload{Data: c.Bytes(text), ContentType: Some(c.Text("application/json"))}
}
