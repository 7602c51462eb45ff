import Gateway

print(GatewayVersion.text)
