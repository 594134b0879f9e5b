"""The words of a spec: functions from tensor to tensor."""
