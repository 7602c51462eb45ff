import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

/// The contexts that receive a topic's messages, and those that have some to flush. Of the one event loop only.
final class Topics {
  private var subscribers: [String: [ObjectIdentifier: ChannelHandlerContext]] = [:]
  private var waiting: [ChannelHandlerContext] = []

  func subscribe(_ context: ChannelHandlerContext, to topic: String) {
    subscribers[topic, default: [:]][ObjectIdentifier(context)] = context
  }

  func unsubscribe(_ context: ChannelHandlerContext, from topic: String) {
    subscribers[topic]?.removeValue(forKey: ObjectIdentifier(context))
  }

  func publish(_ payload: ByteBuffer, to topic: String) {
    guard let contexts = subscribers[topic] else { return }
    let frame = NIOAny(WebSocketFrame(fin: true, opcode: .text, data: payload))
    for context in contexts.values { context.write(frame, promise: nil) }
    // A topic that is published to twice in a turn stands here twice; to flush what is flushed costs next to nothing.
    waiting += contexts.values
  }

  func flush() {
    for context in waiting { context.flush() }
    waiting.removeAll(keepingCapacity: true)
  }
}

enum Role {
  case subscriber(topic: String)
  case publisher
  case echo

  init?(path: String) {
    switch path {
    case "/publish": self = .publisher
    case "/echo": self = .echo
    case let path where path.hasPrefix("/t/"): self = .subscriber(topic: String(path.dropFirst(3)))
    default: return nil
    }
  }
}

final class ConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = WebSocketFrame
  typealias OutboundOut = WebSocketFrame

  private let role: Role
  private let topics: Topics

  init(role: Role, topics: Topics) {
    self.role = role
    self.topics = topics
  }

  func handlerAdded(context: ChannelHandlerContext) {
    if case .subscriber(let topic) = role { topics.subscribe(context, to: topic) }
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    if case .subscriber(let topic) = role { topics.unsubscribe(context, from: topic) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let frame = unwrapInboundIn(data)
    switch (frame.opcode, role) {
    case (.text, .publisher):
      var payload = frame.unmaskedData
      guard let space = payload.readableBytesView.firstIndex(of: UInt8(ascii: " ")),
        let topic = payload.readString(length: space - payload.readerIndex)
      else { return context.close(promise: nil) }
      payload.moveReaderIndex(forwardBy: 1)
      topics.publish(payload, to: topic)
    case (.text, .echo):
      context.write(wrapOutboundOut(WebSocketFrame(fin: true, opcode: .text, data: frame.unmaskedData)), promise: nil)
    // What other libraries answer themselves.
    case (.ping, _):
      let pong = WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData)
      context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
    case (.connectionClose, _): context.close(promise: nil)
    default: break
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    switch role {
    case .publisher: topics.flush()
    case .echo: context.flush()
    case .subscriber: break
    }
  }
}

let port = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 0
let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
let loop = group.next()
let topics = try loop.submit { NIOLoopBound(Topics(), eventLoop: loop) }.wait()
let upgrader = NIOWebSocketServerUpgrader(
  shouldUpgrade: { channel, head in
    channel.eventLoop.makeSucceededFuture(Role(path: head.uri) == nil ? nil : HTTPHeaders())
  },
  upgradePipelineHandler: { channel, head in
    channel.eventLoop.makeCompletedFuture {
      guard let role = Role(path: head.uri) else { return }
      try channel.pipeline.syncOperations.addHandler(ConnectionHandler(role: role, topics: topics.value))
    }
  })
let server = try ServerBootstrap(group: group)
  .serverChannelOption(.backlog, value: 4096)
  .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
  .childChannelInitializer { channel in
    channel.pipeline.configureHTTPServerPipeline(
      withServerUpgrade: (upgraders: [upgrader], completionHandler: { _ in }))
  }
  .bind(host: "127.0.0.1", port: port).wait()
try server.closeFuture.wait()
