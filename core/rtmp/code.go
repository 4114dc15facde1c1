package rtmp

// Codes of onStatus, _result and _error.
const (
	CodeCallFailed      = "NetConnection.Call.Failed"
	CodeConnectClosed   = "NetConnection.Connect.Closed"
	CodeConnectRejected = "NetConnection.Connect.Rejected"
	CodeConnectSuccess  = "NetConnection.Connect.Success"
	CodeInvalidApp      = "NetConnection.Connect.InvalidApp"

	CodeReconnectRequest = "NetConnection.Connect.ReconnectRequest"

	CodePublishBadName   = "NetStream.Publish.BadName"
	CodePublishDenied    = "NetStream.Publish.Denied"
	CodePublishRejected  = "NetStream.Publish.Rejected"
	CodePublishStart     = "NetStream.Publish.Start"
	CodeUnpublishSuccess = "NetStream.Unpublish.Success"

	CodePlayFailed         = "NetStream.Play.Failed"
	CodePlayReset          = "NetStream.Play.Reset"
	CodePlayStart          = "NetStream.Play.Start"
	CodePlayStop           = "NetStream.Play.Stop"
	CodePlayStreamNotFound = "NetStream.Play.StreamNotFound"
	CodePlayUnpublish      = "NetStream.Play.UnpublishNotify"

	CodePauseNotify   = "NetStream.Pause.Notify"
	CodeSeekNotify    = "NetStream.Seek.Notify"
	CodeUnpauseNotify = "NetStream.Unpause.Notify"
)

// level is the level that goes with a code: ffmpeg ends at "error", whatever
// the code.
func level(code string) string {
	switch code {
	case CodeCallFailed, CodeConnectRejected, CodeInvalidApp,
		CodePublishBadName, CodePublishDenied, CodePublishRejected,
		CodePlayFailed, CodePlayStreamNotFound:
		return "error"
	}
	return "status"
}
