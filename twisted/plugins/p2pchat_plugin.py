"""Makes `twistd p2pchat-server` and `twistd p2pchat-client` known; imports nothing of p2pchat."""

from twisted.application.service import ServiceMaker

server = ServiceMaker("p2pchat server", "p2pchat.server.plugin", "A node of a p2pchat ring.", "p2pchat-server")
client = ServiceMaker("p2pchat client", "p2pchat.client.plugin", "One person's p2pchat agent.", "p2pchat-client")
