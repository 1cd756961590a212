"""What a server shows and takes over HTTP, on its own loop; needs the extra ``http``."""
