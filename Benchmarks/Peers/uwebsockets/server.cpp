// uWebSockets by its own C++ interface: `uwebsockets-epoll-server PORT [--deflate]`. Nothing here builds it; how it
// is named to the harness, and its settings: ../README.md.
#include <App.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

struct Nothing {};

/// What belongs to a subscriber's connection.
struct Subscription {
  std::string topic;
};

int main(int argument_count, char **arguments) {
  if (argument_count < 2) {
    std::fprintf(stderr, "usage: uwebsockets-epoll-server PORT [--deflate]\n");
    return 64;
  }
  const bool is_compressing = argument_count > 2 && std::strcmp(arguments[2], "--deflate") == 0;
  const auto compression = is_compressing
      ? uWS::CompressOptions(uWS::SHARED_COMPRESSOR | uWS::SHARED_DECOMPRESSOR) : uWS::CompressOptions(uWS::DISABLED);
  constexpr unsigned payload_byte_count_max = 16 * 1024, backpressure_byte_count_max = 1024 * 1024;
  uWS::App app;

  app.ws<Subscription>("/t/:topic", {
      .compression = compression,
      .maxPayloadLength = payload_byte_count_max,
      .idleTimeout = 0,
      .maxBackpressure = backpressure_byte_count_max,
      .sendPingsAutomatically = false,
      .upgrade = [](auto *response, auto *request, auto *context) {
        response->template upgrade<Subscription>(
            {std::string(request->getParameter(0))}, request->getHeader("sec-websocket-key"),
            request->getHeader("sec-websocket-protocol"), request->getHeader("sec-websocket-extensions"), context);
      },
      .open = [](auto *ws) { ws->subscribe(ws->getUserData()->topic); },
  });
  // A publication is its topic, a space, and what is delivered.
  app.ws<Nothing>("/publish", {
      .maxPayloadLength = payload_byte_count_max,
      .idleTimeout = 0,
      .sendPingsAutomatically = false,
      .message = [&app, is_compressing](auto *, std::string_view message, uWS::OpCode code) {
        const size_t space = message.find(' ');
        if (space == std::string_view::npos) return;
        app.publish(message.substr(0, space), message.substr(space + 1), code, is_compressing);
      },
  });
  app.ws<Nothing>("/echo", {
      .maxPayloadLength = payload_byte_count_max,
      .idleTimeout = 0,
      .maxBackpressure = backpressure_byte_count_max,
      .sendPingsAutomatically = false,
      .message = [](auto *ws, std::string_view message, uWS::OpCode code) { ws->send(message, code); },
  });
  app.listen("127.0.0.1", std::atoi(arguments[1]), [](auto *socket) {
    if (socket == nullptr) std::exit(1);
  });
  app.run();
}
