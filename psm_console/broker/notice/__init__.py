"""What the operator is shown of orders, without harm to what is on the screen."""
