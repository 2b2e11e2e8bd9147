"""The models of a job: as they are asked for, and in the memory of a process."""
