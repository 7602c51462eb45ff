/// The description of the HTTP API that `GET /api/v1/openapi.json` answers.
enum OpenAPIDocument {
  static let bytes = Array(text.utf8)

  private static let text = #"{"openapi":"3.1.0","info":{"title":"Signalbox","version":"0.1.0"},"paths":{}}"#
}
