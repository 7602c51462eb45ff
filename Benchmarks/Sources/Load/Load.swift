import CLoadShim
import Glibc

/// The load generator: one thread, one scenario, one line of JSON.
@main
enum Load {
  static func main() {
    signal(SIGPIPE, SIG_IGN)
    let options = Options(arguments: Array(CommandLine.arguments.dropFirst()))
    let descriptorLimit = load_raise_descriptor_limit()
    let clientCount = options.clientCount + options.slowCount
    guard UInt64(clientCount) + 64 <= descriptorLimit else {
      fail("\(clientCount) clients need more than the \(descriptorLimit) descriptors that are allowed")
    }
    Scenarios(options: options, server: ServerProcess(identifier: options.server)).run()
  }
}
