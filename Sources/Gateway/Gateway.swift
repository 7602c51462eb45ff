package enum GatewayVersion {
  /// The version that `signalbox version` and `GET /api/v1/status` report.
  package static let text = "0.1.0"
}
