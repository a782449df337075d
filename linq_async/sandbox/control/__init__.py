"""The control calls under `/_sandbox/`, and the page that is made of them."""
