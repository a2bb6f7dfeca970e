"""The gRPC gateway: the only place that knows protos and grpc. It validates, hands over to Kafka, waits and answers."""
