"""The whole stack on one machine. Sits on top of everything else; nothing that is deployed imports it."""
