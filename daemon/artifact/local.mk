# artifact
